/*
 * Caches that come and go while other threads make some of the same layout, or drain all there are.
 *
 * Each test runs for a time: what it looks for happens in a window of a few instructions.
 */
#include <buddyslab/kmem_cache.h>
#include <buddyslab/malloc.h>

#include "heap/registry.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace
{

constexpr std::chrono::milliseconds time_of_a_test{1000};

/// What a thread found wrong, if it did; Catch's own macros are for one thread.
using finding = std::atomic<const char*>;

struct stamped
{
    unsigned long stamps[8];
};
static_assert(sizeof(stamped) == 64);

/// One life of a cache; returns what was wrong.
const char* use_a_cache(const char* name, unsigned long stamp)
{
    bsl_kmem_cache* cache = bsl_kmem_cache_create(name, sizeof(stamped), 0, 0, nullptr);
    if (cache == nullptr)
        return "no cache";
    stamped* objects[200];
    unsigned long n = 0;
    for (stamped*& object : objects) {
        object = static_cast<stamped*>(bsl_kmem_cache_alloc(cache, BSL_GFP_KERNEL));
        if (object == nullptr)
            return "no object";
        for (unsigned long& word : object->stamps)
            word = stamp + n;
        ++n;
    }
    n = 0;
    bool is_mine = true;
    for (stamped* object : objects) {
        for (const unsigned long word : object->stamps)
            is_mine &= word == stamp + n;
        ++n;
    }
    if (!is_mine)
        return "an object was handed out twice";
    for (stamped* object : objects)
        bsl_kmem_cache_free(cache, object);
    return bsl_kmem_cache_destroy(cache) == 0 ? nullptr : "objects are said to be in use";
}

/// Calls round(i), which returns what was wrong, until then or until the time is over.
template <typename Round>
void repeat(finding& wrong, Round round)
{
    const auto end = std::chrono::steady_clock::now() + time_of_a_test;
    for (unsigned long i = 0; wrong == nullptr && std::chrono::steady_clock::now() < end; ++i) {
        if (const char* found = round(i))
            wrong = found;
    }
}

void expect_nothing(const finding& wrong)
{
    const char* found = wrong.load();
    INFO((found == nullptr ? "" : found));
    CHECK(found == nullptr);
}

/// A thread that drains all the time while the test runs.
class drainer
{
public:
    explicit drainer(void (*drain)()) : drain_(drain) {}
    ~drainer()
    {
        stop_ = true;
        thread_.join();
    }

private:
    void (*const drain_)();
    std::atomic<bool> stop_{false};
    std::thread thread_{[this] {
        while (!stop_)
            drain_();
    }};
};

/// Objects of a few sheaves come and go.
bool fill_and_free(bsl_kmem_cache* cache)
{
    constexpr unsigned nr = 600;
    void* objects[nr];
    if (bsl_kmem_cache_alloc_bulk(cache, BSL_GFP_KERNEL, nr, objects) != nr)
        return false;
    bsl_kmem_cache_free_bulk(cache, nr, objects);
    return true;
}

/// A cache of small objects, and then one of objects that have a slab each, which gets its slot.
template <typename Use>
const char* use_two_caches(Use use)
{
    bsl_kmem_cache* small = bsl_kmem_cache_create("small", 96, 0, 0, nullptr);
    if (small == nullptr)
        return "no cache of small objects";
    if (!use(small))
        return "no small object";
    if (bsl_kmem_cache_destroy(small) != 0)
        return "small objects are said to be in use";
    bsl_kmem_cache* large = bsl_kmem_cache_create("large", 65536, 0, 0, nullptr);
    if (large == nullptr)
        return "no cache of large objects";
    void* object = bsl_kmem_cache_alloc(large, BSL_GFP_KERNEL);
    if (object == nullptr)
        return "no large object";
    bsl_kmem_cache_free(large, object);
    return bsl_kmem_cache_destroy(large) == 0 ? nullptr : "large objects are said to be in use";
}

} // namespace

TEST_CASE("a cache that one thread destroys serves no other that makes one like it")
{
    finding wrong = nullptr;
    std::vector<std::thread> threads;
    for (unsigned long t = 1; t <= 3; ++t) {
        threads.emplace_back([&wrong, t] {
            const std::string name = "of_thread_" + std::to_string(t);
            repeat(wrong, [&](unsigned long i) {
                return use_a_cache(name.c_str(), (t << 48) + (i << 8));
            });
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    expect_nothing(wrong);
}

TEST_CASE("a cache can be destroyed, and its slot used again, while another thread drains it")
{
    finding wrong = nullptr;
    {
        const drainer other([] { bsl_malloc_trim(0); });
        repeat(wrong, [](unsigned long) { return use_two_caches(fill_and_free); });
    }
    expect_nothing(wrong);
}

TEST_CASE("what threads left in a cache that have ended is not in use while another drains it")
{
    finding wrong = nullptr;
    {
        const drainer other(bsl::drain_orphans);
        repeat(wrong, [](unsigned long) {
            return use_two_caches([](bsl_kmem_cache* cache) {
                bool could = false;
                std::thread([&] { could = fill_and_free(cache); }).join();
                return could;
            });
        });
    }
    expect_nothing(wrong);
}

TEST_CASE("what a thread left in a cache is not in use while the next thread takes it over")
{
    finding wrong = nullptr;
    repeat(wrong, [](unsigned long) -> const char* {
        bsl_kmem_cache* cache = bsl_kmem_cache_create("left", 96, 0, 0, nullptr);
        std::thread([cache] { fill_and_free(cache); }).join();
        std::atomic<bool> is_there{false};
        std::thread next([&is_there] {
            is_there = true;
            bsl_free(bsl_malloc(96)); // gives it the heap of the thread before
        });
        while (!is_there) {
        }
        const bool could = bsl_kmem_cache_destroy(cache) == 0;
        next.join();
        return could ? nullptr : "objects are said to be in use";
    });
    expect_nothing(wrong);
}
