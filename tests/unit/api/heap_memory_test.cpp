/* Private heaps where memory lies elsewhere than usual, is limited, or is about to run out. */
#include "unit/api/nodes.hpp"
#include "unit/child.hpp"

#include "heap/private_heap.hpp"

#include <atomic>
#include <buddyslab/heap.h>
#include <buddyslab/malloc.h>
#include <buddyslab/shrinker.h>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace
{

using bsl::kib;
using bsl::mib;

bsl_heap_stats stats_of(bsl_heap* heap)
{
    bsl_heap_stats stats{};
    stats.size = sizeof stats;
    if (bsl_heap_get_stats(heap, &stats) != 0)
        std::abort();
    return stats;
}

bsl::heap::private_heap& inside(bsl_heap* heap)
{
    return bsl::heap::heap_of_handle(reinterpret_cast<std::uintptr_t>(heap), "test");
}

} // namespace

TEST_CASE("realloc of a heap's object to more than there can be fails and leaves the object")
{
    bsl_heap* heap = bsl_heap_create("huge", 0, 0);
    for (std::size_t size : {100u, 100000u, 5000000u}) {
        auto* p = static_cast<char*>(bsl_heap_alloc(heap, size));
        std::memset(p, 7, size);
        const bsl_heap_stats before = stats_of(heap);
        for (std::size_t most : {SIZE_MAX, SIZE_MAX - 4094, SIZE_MAX / 2, SIZE_MAX / 2 - mib}) {
            errno = 0;
            CHECK(bsl_heap_realloc(heap, p, most) == nullptr);
            CHECK(errno == ENOMEM);
            errno = 0;
            CHECK(bsl_realloc(p, most) == nullptr);
            CHECK(errno == ENOMEM);
        }
        CHECK(stats_of(heap).held == before.held);
        CHECK(stats_of(heap).nr_objects == before.nr_objects);
        CHECK((p[0] == 7 && p[size - 1] == 7));
        bsl_heap_free(heap, p);
    }
    bsl_heap_destroy(heap);
}

TEST_CASE("pages of a heap return to the zone that they came from")
{
    simulate_nodes(2);
    move_to_node(1);
    bsl_heap* heap = bsl_heap_create("far", 0, 0);
    void* p = bsl_heap_alloc(heap, mib);
    REQUIRE(node_of(p) == 1);
    const std::size_t free_here = free_pages_of(0);
    const std::size_t free_there = free_pages_of(1);
    REQUIRE(bsl_heap_realloc(heap, p, mib / 4) == p);
    CHECK(free_pages_of(0) == free_here);
    CHECK(free_pages_of(1) == free_there + (3 * mib / 4) / bsl::bytes_per_page);
    REQUIRE(bsl_heap_realloc(heap, p, mib) == p);
    CHECK(free_pages_of(1) == free_there);
    move_to_node(0);
    REQUIRE(bsl_heap_realloc(heap, p, mib / 2) == p);
    CHECK(free_pages_of(0) == free_here);
    bsl_heap_destroy(heap);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // their shadows need addresses
TEST_CASE("a heap's run below 4 GiB is resized there")
{
    const child_result child = in_child([] {
        bsl_page* low = bsl_alloc_pages(BSL_GFP_KERNEL | BSL___GFP_DMA32, BSL_MAX_PAGE_ORDER);
        must(low != nullptr, "no page below 4 GiB");
        bsl_free_block(low, BSL_MAX_PAGE_ORDER);
        refuse_more_memory(16 * mib); // the stack grows, too
        bsl_heap* heap = bsl_heap_create("low", 0, 0);
        char* p = nullptr;
        do {
            p = static_cast<char*>(bsl_heap_alloc(heap, 100000));
            must(p != nullptr, "none of the runs was low");
        } while (reinterpret_cast<std::uintptr_t>(p) >> 32 != 0);
        const bsl::zone& home = bsl::zone_of(p);
        const std::size_t before = home.counts().nr_free;
        must(bsl_heap_realloc(heap, p, 40000) == p, "not in place");
        must(home.counts().nr_free == before + 15, "the tail went elsewhere");
        bsl_heap_destroy(heap);
    });
    CHECK(child.text == "");
    CHECK(child.succeeded());
}
#endif

TEST_CASE("a fork does not meet a run half resized")
{
    bsl_heap* heap = bsl_heap_create("resized", 0, 0);
    void* p = bsl_heap_alloc(heap, 60000);
    std::atomic<bool> stop{false};
    std::thread resizer([&] {
        while (!stop) {
            p = bsl_heap_realloc(heap, p, 3000000);
            p = bsl_heap_realloc(heap, p, 60000);
        }
    });
    for (int i = 0; i < 60; ++i) {
        const child_result child = in_child([&] {
            bsl::heap::validate(inside(heap));
            bsl_heap_destroy(heap);
            // Whatever was free twice would overlap now.
            bsl_heap* own = bsl_heap_create("own", 0, 0);
            std::vector<char*> runs;
            for (char i = 0; i < 60; ++i) {
                runs.push_back(static_cast<char*>(bsl_heap_alloc(own, 100000)));
                std::memset(runs.back(), i, 100000);
            }
            for (char i = 0; i < 60; ++i)
                must(runs[static_cast<std::size_t>(i)][0] == i, "runs overlap");
        });
        REQUIRE(child.text == "");
        REQUIRE(child.succeeded());
    }
    stop = true;
    resizer.join();
    bsl_heap_destroy(heap);
}

TEST_CASE("a fork does not meet a heap half reset")
{
    bsl_heap* heap = bsl_heap_create("reset", 0, 0);
    std::atomic<bool> stop{false};
    std::thread other([&] {
        while (!stop) {
            for (std::size_t size : {16u, 100u, 1000u, 8000u, 50000u, 100000u})
                for (int i = 0; i < 20; ++i)
                    static_cast<void>(!bsl_heap_alloc(heap, size));
            bsl_heap_reset(heap);
        }
    });
    for (int i = 0; i < 60; ++i) {
        const child_result child = in_child([&] {
            bsl::heap::validate(inside(heap));
            bsl_heap_destroy(heap);
            validate_zone();
        });
        REQUIRE(child.text == "");
        REQUIRE(child.succeeded());
    }
    stop = true;
    other.join();
    bsl_heap_destroy(heap);
}

TEST_CASE("heaps come and go while another thread forks")
{
    std::atomic<bool> stop{false};
    std::thread other([&] {
        std::vector<bsl_heap*> heaps;
        while (!stop || heaps.size() < 100) {
            for (int i = 0; i < 10; ++i) { // more and more at once: new places
                heaps.push_back(bsl_heap_create("one of many", 0, 0));
                static_cast<void>(!bsl_heap_alloc(heaps.back(), 100));
            }
            bsl_heap_destroy(heaps.front());
            heaps.erase(heaps.begin());
        }
        for (bsl_heap* one : heaps)
            bsl_heap_destroy(one);
    });
    for (int i = 0; i < 30; ++i) {
        const child_result child = in_child([] {
            bsl_heap* own = bsl_heap_create("own", 0, 0);
            must(bsl_heap_alloc(own, 100) != nullptr, "no object");
            bsl_heap_destroy(own);
        });
        REQUIRE(child.succeeded());
    }
    stop = true;
    other.join();
}

#if !defined(__SANITIZE_ADDRESS__) &&                                                              \
    !defined(__SANITIZE_THREAD__) // their own memory is copied, too
TEST_CASE("a fork writes to no place of a heap that is gone")
{
    constexpr std::size_t nr = 20000;
    std::vector<bsl_heap*> heaps;
    for (std::size_t i = 0; i < nr; ++i)
        heaps.push_back(bsl_heap_create("gone", 0, 0));
    for (bsl_heap* heap : heaps)
        bsl_heap_destroy(heap);
    const auto faults = [] {
        rusage used{};
        getrusage(RUSAGE_SELF, &used);
        return used.ru_minflt;
    };
    const long before = faults();
    CHECK(in_child([] {}).succeeded());
    constexpr std::size_t pages = nr * bsl::heap::heap_descriptor_size / bsl::bytes_per_page;
    CHECK(faults() - before < static_cast<long>(pages / 2));
}
#endif

TEST_CASE("a cached window that is larger than asked for stays within the limit")
{
    const auto cache_a_window = [] {
        auto* window = static_cast<char*>(bsl_malloc(9 * mib));
        std::memset(window, 1, 9 * mib);
        bsl_free(window);
    };
    constexpr std::size_t size = 8 * mib + 1;
    for (std::size_t limit : {8 * mib + 4 * kib, 8 * mib + 64 * kib, 9 * mib, 20 * mib}) {
        cache_a_window();
        bsl_heap* heap = bsl_heap_create("windows", 0, limit);
        auto* p = static_cast<char*>(bsl_heap_zalloc(heap, size));
        REQUIRE(p != nullptr);
        CHECK(is_filled(p, size, 0));
        CHECK(stats_of(heap).held <= limit);
        CHECK(stats_of(heap).held_peak <= limit);
        CHECK(stats_of(heap).held >= bsl_heap_usable_size(heap, p));
        bsl::heap::validate(inside(heap));
        bsl_heap_free(heap, p);
        CHECK(stats_of(heap).held == 0);
        bsl_heap_destroy(heap);
    }
    bsl_heap* heap = bsl_heap_create("odd", 0, 5 * mib + 1);
    CHECK(bsl_heap_alloc(heap, 5 * mib + 1) == nullptr); // whole pages
    void* p = bsl_heap_alloc(heap, 5 * mib);
    REQUIRE(p != nullptr);
    CHECK(bsl_heap_realloc(heap, p, 5 * mib + 1) == nullptr);
    CHECK(stats_of(heap).held <= stats_of(heap).limit);
    bsl::heap::validate(inside(heap));
    bsl_heap_destroy(heap);
}

TEST_CASE("slabs without objects do not stand in the way of a limit")
{
    for (unsigned flags : {0u, BSL_HEAP_ONE_THREAD}) {
        bsl_heap* heap = bsl_heap_create("classes", flags, 64 * kib);
        std::vector<void*> objects;
        for (std::size_t size = 16; objects.size() < 40; size += size / 4) {
            void* p = bsl_heap_alloc(heap, size % 8192);
            if (p != nullptr)
                objects.push_back(p);
            else
                break;
        }
        REQUIRE(stats_of(heap).held > 56 * kib);
        for (void* p : objects)
            bsl_heap_free(heap, p);
        CHECK(stats_of(heap).nr_objects == 0);
        void* run = bsl_heap_alloc(heap, 64 * kib);
        CHECK(run != nullptr);
        CHECK(stats_of(heap).nr_slabs == 0);
        CHECK(stats_of(heap).held == 64 * kib);
        CHECK(bsl_heap_alloc(heap, 16) == nullptr);
        bsl_heap_free(heap, run);
        CHECK(bsl_heap_alloc(heap, 16) != nullptr);
        bsl::heap::validate(inside(heap));
        bsl_heap_destroy(heap);
    }
}

TEST_CASE("threads that make slabs at once leave none behind without objects")
{
    bsl_heap* heap = bsl_heap_create("at once", 0, 0);
    for (int round = 0; round < 200; ++round) {
        std::atomic<int> ready{0};
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&] {
                ++ready;
                while (ready != 4)
                    ;
                bsl_heap_free(heap, bsl_heap_alloc(heap, 100));
            });
        }
        for (std::thread& one : threads)
            one.join();
        REQUIRE(stats_of(heap).nr_slabs <= 1);
        bsl::heap::validate(inside(heap));
        bsl_heap_reset(heap);
    }
    bsl_heap_destroy(heap);
}

namespace
{

/// Counts how often the program is asked to do without something.
struct asked : bsl_shrinker
{
    unsigned nr = 0;

    asked() : bsl_shrinker{count, scan, 1, nullptr} { REQUIRE(bsl_register_shrinker(this) == 0); }
    ~asked() { bsl_unregister_shrinker(this); }

    static unsigned long count(bsl_shrinker* s, bsl_shrink_control*)
    {
        ++static_cast<asked*>(s)->nr;
        return BSL_SHRINK_EMPTY;
    }
    static unsigned long scan(bsl_shrinker*, bsl_shrink_control*) { return BSL_SHRINK_STOP; }
};

/// So that the run before it cannot grow.
std::vector<void*> take_page(const char* wanted)
{
    std::vector<void*> taken;
    do
        taken.push_back(pages_of(0));
    while (taken.back() != wanted && taken.back() != nullptr);
    REQUIRE(taken.back() != nullptr);
    return taken;
}

} // namespace

TEST_CASE("realloc that succeeds leaves errno alone and asks no shrinker for more than is wanted")
{
    constexpr std::size_t size = 3 * mib;
    bsl_heap* heap = bsl_heap_create("grows", 0, 2 * size + 64 * kib);
    auto* p = static_cast<char*>(bsl_heap_alloc(heap, size));
    const std::vector<void*> taken = take_page(p + size);
    {
        asked shrinker;
        errno = 7;
        void* moved = bsl_heap_realloc(heap, p, size + 1); // an eighth more does not fit
        CHECK(errno == 7);
        CHECK((moved != nullptr && moved != p));
        CHECK(shrinker.nr == 0);
        CHECK(bsl_heap_realloc(heap, moved, 3 * size) == nullptr);
        CHECK(errno == ENOMEM);
    }
    for (void* page : taken)
        free_pages(page, 0);
    bsl_heap_destroy(heap);
}

TEST_CASE("what is made smaller in a full heap may stay and leaves room")
{
    constexpr unsigned slab_order = bsl::heap_layouts[bsl::heap_class_of(3000)].order_min;
    for (std::size_t limit : {4 * kib << slab_order, 64 * kib, 3 * mib, 8 * mib}) {
        bsl_heap* heap = bsl_heap_create("full", 0, limit);
        auto* p = static_cast<char*>(bsl_heap_alloc(heap, limit < 64 * kib ? 3000 : limit));
        REQUIRE(p != nullptr);
        std::memset(p, 5, 3000);
        asked shrinker;
        for (std::size_t smaller : {1000u, 100u}) {
            errno = 7;
            p = static_cast<char*>(bsl_heap_realloc(heap, p, smaller));
            CHECK(errno == 7);
            REQUIRE(p != nullptr);
            CHECK(is_filled(p, smaller, 5));
        }
        CHECK(shrinker.nr == 0);
        CHECK(stats_of(heap).nr_objects == 1);
        CHECK(stats_of(heap).held <= 64 * kib);
        bsl::heap::validate(inside(heap));
        bsl_heap_destroy(heap);
    }
}

TEST_CASE("realloc within a class stays in place")
{
    bsl_heap* heap = bsl_heap_create("same", 0, 0);
    for (std::size_t size : {16u, 32u, 160u, 1000u}) {
        void* p = bsl_heap_alloc(heap, size);
        CHECK(bsl_heap_realloc(heap, p, size - (size == 16 ? 15 : size / 8)) == p);
        CHECK(bsl_heap_realloc(heap, p, size) == p);
    }
    bsl_heap_destroy(heap);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("a heap with large slabs goes on with small ones where there are only single pages")
{
    const child_result child = in_child([] {
        bsl_heap* heap = bsl_heap_create("large", 0, 0);
        for (int i = 0; i < 30000; ++i)
            must(bsl_heap_alloc(heap, 256) != nullptr, "no object at the start");
        const int nr = leave_single_pages();
        for (int i = 0; i < nr; ++i) {
            errno = 7;
            must(bsl_heap_alloc(heap, 256) != nullptr, "no object although there are pages");
            must(errno == 7, "errno");
        }
        bsl::heap::validate(inside(heap));
        bsl_heap_destroy(heap);
    });
    CHECK(child.text == "");
    CHECK(child.succeeded());
}
#endif
