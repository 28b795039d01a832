/*
 * Caches that come and go while other threads make some of the same layout.
 *
 * Each test runs for a time: what it looks for happens in a window of a few instructions.
 */
#include <buddyslab/kmem_cache.h>

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
