#include "unit/proc/books.hpp"
#include "unit/proc/own_memory.hpp"

#include "proc/heap_totals.hpp"
#include "slab/size_class.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <cstring>
#include <thread>
#include <vector>

using namespace bsl;

namespace
{

std::vector<void*> allocate(std::size_t n, std::size_t size)
{
    std::vector<void*> objects(n);
    for (void*& object : objects)
        object = std::memset(heap::malloc(size), 1, size);
    return objects;
}

void release(const std::vector<void*>& objects)
{
    for (void* object : objects)
        heap::free(object);
}

const cache_figures& figures_of(const snapshot& heap, std::size_t size)
{
    return heap.caches[class_of(size)];
}

/// What two ways of counting say of a heap at rest: the counters under their locks, and the walk.
void check_same(const snapshot& seen, const heap_totals& counted)
{
    CHECK(seen.is_exact);
    for (unsigned c = 1; c < nr_classes; ++c) {
        INFO(seen.caches[c].name);
        CHECK(seen.caches[c].nr_live() == counted.of_class[c].nr_in_use);
        CHECK(seen.caches[c].nr_cached == counted.of_class[c].nr_cached);
        CHECK(seen.caches[c].nr_free == counted.of_class[c].nr_free);
        CHECK(seen.caches[c].nr_slabs == counted.of_class[c].nr_slabs);
        CHECK(seen.caches[c].nr_pages == counted.of_class[c].nr_pages);
    }
    const books sum = seen.balance();
    check_sums(sum, counted);
    CHECK(sum.cached_windows == counted.cached_window_bytes);
    CHECK(sum.moving == 0);
}

} // namespace

TEST_CASE("a walk finds what the counters say, to the object")
{
    const std::vector<void*> small = allocate(3000, 100);
    const std::vector<void*> medium = allocate(100, 5000);
    const std::vector<void*> large = allocate(7, 200 * kib);
    void* window = heap::malloc(9 * mib);
    void* run = heap::aligned_alloc(256 * kib, 20 * kib);
    check_same(*look_at_own_heap(), totals_of_heap());
    release({small.begin() + 1000, small.end()});
    release({large.begin() + 3, large.end()});
    check_same(*look_at_own_heap(), totals_of_heap());
    CHECK(look_at_own_heap()->all.nr_run_pages == 5);
    heap::free(window);
    heap::free(run);
    check_same(*look_at_own_heap(), totals_of_heap());
    heap::trim(0);
    check_same(*look_at_own_heap(), totals_of_heap());
    release({small.begin(), small.begin() + 1000});
    release(medium);
    release({large.begin(), large.begin() + 3});
    heap::trim(0);
    check_same(*look_at_own_heap(), totals_of_heap());
}

TEST_CASE("frames that are lent to a window are counted once")
{
    release(allocate(12000, 4000)); // 48 MiB of free pages, which a window is made of
    void* window = heap::malloc(16 * mib);
    const auto seen = look_at_own_heap();
    CHECK(seen->lent_bytes > 0);
    CHECK(seen->lent_bytes ==
          seen->all.nr_elsewhere * bytes_per_page - (seen->nr_listed_pages << page_shift));
    check_same(*seen, totals_of_heap());
    heap::free(window);
    heap::trim(0);
    CHECK(look_at_own_heap()->lent_bytes == 0);
}

TEST_CASE("what other threads keep is seen, and so are they")
{
    const std::size_t threads = look_at_own_heap()->nr_threads;
    std::atomic<bool> ready{false};
    std::atomic<bool> done{false};
    std::thread other([&] {
        release(allocate(500, 300));
        ready = true;
        while (!done)
            std::this_thread::yield();
    });
    while (!ready)
        std::this_thread::yield();
    const auto seen = look_at_own_heap();
    CHECK(seen->nr_threads == threads + 1);
    CHECK(figures_of(*seen, 300).nr_cached > 0);
    check_same(*seen, totals_of_heap());
    done = true;
    other.join();
}

TEST_CASE("a snapshot while threads work is never wrong about the sum, nor about what rests")
{
    const std::vector<void*> resting = allocate(5000, 900);
    const std::size_t live = figures_of(*look_at_own_heap(), 900).nr_live();
    std::atomic<bool> done{false};
    const auto work = [&done](unsigned seed) {
        std::vector<void*> held(300);
        while (!done) {
            for (void*& object : held) {
                seed = seed * 1103515245 + 12345;
                heap::free(object);
                object = heap::malloc(seed / 65536 % 800);
            }
        }
        release(held);
    };
    std::thread one(work, 1);
    std::thread two(work, 2);
    for (int i = 0; i < 100; ++i) {
        const auto seen = look_at_own_heap();
        REQUIRE(seen != nullptr);
        const books sum = seen->balance();
        CHECK(sum.sum() == sum.mapped);
        CHECK(figures_of(*seen, 900).nr_live() == live);
        CHECK(sum.live < 64 * mib);
    }
    done = true;
    one.join();
    two.join();
    release(resting);
}

TEST_CASE("memory that cannot be read is said to be so")
{
    const memory_source nothing{nullptr,
                                [](void*, std::uintptr_t, void*, std::size_t) { return false; }};
    snapshot heap{};
    CHECK_FALSE(take_snapshot(nothing, heap_root, own_workspace(), heap));
}

TEST_CASE("every object is shown that waits in a sheaf")
{
    const std::vector<void*> objects = allocate(100, 432);
    release(objects);
    struct context
    {
        std::size_t shown;
        bool seen;
        void* wanted;
    } mine{0, false, objects[50]};
    visitor each{};
    each.context = &mine;
    each.cached = [](void* argument, std::uintptr_t object, unsigned cache, std::uintptr_t,
                     unsigned) {
        auto& to = *static_cast<context*>(argument);
        if (cache != class_of(432))
            return;
        ++to.shown;
        to.seen = to.seen || object == reinterpret_cast<std::uintptr_t>(to.wanted);
    };
    snapshot heap{};
    REQUIRE(walk(own_memory, heap_root, own_workspace(), heap, each));
    CHECK(mine.shown == heap.caches[class_of(432)].nr_cached);
    CHECK(mine.seen);
}
