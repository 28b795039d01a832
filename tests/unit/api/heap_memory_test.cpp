/* Private heaps where memory lies elsewhere than usual, is limited, or is about to run out. */
#include "unit/api/nodes.hpp"
#include "unit/child.hpp"

#include "heap/private_heap.hpp"

#include <atomic>
#include <buddyslab/heap.h>
#include <buddyslab/malloc.h>
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
TEST_CASE("a heap's run below 4 GiB, taken when memory was short, is resized there")
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
    for (int i = 0; i < 400; ++i) {
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
