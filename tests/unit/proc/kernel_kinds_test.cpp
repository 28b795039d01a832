// What programs have of the kernel's kinds of memory, in snapshots and reports: page frames, the reserve,
// zones, object caches.

#include "unit/proc/books.hpp"
#include "unit/proc/own_memory.hpp"

#include "heap/object_caches.hpp"
#include "heap/page_frames.hpp"
#include "proc/heap_totals.hpp"
#include "proc/report.hpp"

#include <buddyslab/cma.h>
#include <buddyslab/kmem_cache.h>
#include <buddyslab/pages.h>
#include <buddyslab/stats.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <set>
#include <string>
#include <vector>

using namespace bsl;

namespace
{

void check_books(const snapshot& seen)
{
    CHECK(seen.is_exact);
    const books sum = seen.balance();
    const heap_totals counted = totals_of_heap();
    check_sums(sum, counted);
    CHECK(sum.moving == 0);
}

const cache_figures* find_cache(const snapshot& heap, const std::string& name)
{
    for (const cache_figures& c : heap.caches) {
        if (c.size != 0 && name == c.name)
            return &c;
    }
    return nullptr;
}

std::string aliases_of(const snapshot& heap, const std::string& name)
{
    std::string all;
    heap.for_each_alias(*find_cache(heap, name),
                        [&](std::string_view alias) { all += std::string(alias) + ";"; });
    return all;
}

std::string report(std::string_view name, const snapshot& heap)
{
    std::string text;
    stream to(
        [](void* context, std::string_view part) {
            static_cast<std::string*>(context)->append(part);
            return true;
        },
        &text);
    CHECK(print_report(to, name, {heap, own_memory, heap_root, own_workspace()}));
    return text;
}

} // namespace

TEST_CASE("pages that alloc_pages keeps at hand are free pages and a reserve, not on their way")
{
    const std::size_t runs = look_at_own_heap()->all.nr_run_pages;
    std::vector<bsl_page*> blocks;
    for (unsigned i = 0; i < 40; ++i)
        blocks.push_back(bsl_alloc_pages(BSL_GFP_KERNEL, i % 4));
    auto seen = look_at_own_heap();
    check_books(*seen);
    CHECK(seen->all.nr_run_pages == runs + 10 * (1 + 2 + 4 + 8));
    CHECK(seen->all.nr_reserve_pages == 16 + 4 * 2 + 2 * 4 + 8); // frame_reserve.cpp's slots
    for (unsigned i = 0; i < 40; ++i)
        bsl_free_block(blocks[i], i % 4);
    seen = look_at_own_heap();
    check_books(*seen);
    CHECK(seen->all.nr_run_pages == runs);
    CHECK(seen->nr_listed_pages > 0);
}

TEST_CASE("a block from the reserve is the program's, and one given back late is the reserve's")
{
    bsl_free_block(bsl_alloc_pages(BSL_GFP_KERNEL, 4), 4); // fills the reserve
    const std::size_t reserve = look_at_own_heap()->all.nr_reserve_pages;
    bsl_page* taken = bsl_alloc_pages(BSL_GFP_ATOMIC, 3);
    REQUIRE(taken != nullptr);
    auto seen = look_at_own_heap();
    check_books(*seen);
    CHECK(seen->all.nr_reserve_pages == reserve - 8);
    bsl_free_block(bsl_alloc_pages(BSL_GFP_KERNEL, 4), 4); // fills it again
    bsl_free_pages_nolock(taken, 3);                       // one too many
    seen = look_at_own_heap();
    check_books(*seen);
    CHECK(seen->all.nr_reserve_pages == reserve + 8);
    bsl_free_block(bsl_alloc_pages(BSL_GFP_KERNEL, 4), 4); // takes it in
    seen = look_at_own_heap();
    check_books(*seen);
    CHECK(seen->all.nr_reserve_pages == reserve);
}

TEST_CASE("every free block that a thread keeps is shown, by the address of its memory")
{
    bsl_page* block = bsl_alloc_pages(BSL_GFP_KERNEL, 1);
    const auto address = reinterpret_cast<std::uintptr_t>(bsl_page_address(block));
    bsl_free_block(block, 1);
    struct context
    {
        std::uintptr_t wanted;
        std::size_t pages;
        bool seen;
    } mine{address, 0, false};
    visitor each{};
    each.context = &mine;
    each.listed = [](void* argument, std::uintptr_t at, unsigned order, std::uintptr_t) {
        auto& to = *static_cast<context*>(argument);
        to.pages += std::size_t{1} << order;
        to.seen = to.seen || (at == to.wanted && order == 1);
    };
    snapshot heap{};
    REQUIRE(walk(own_memory, heap_root, own_workspace(), heap, each));
    CHECK(mine.seen);
    CHECK(mine.pages == heap.nr_listed_pages);
}

TEST_CASE("zones are told apart, and their sums are those of the zones' own counters")
{
    bsl_page* low = bsl_alloc_pages(BSL_GFP_KERNEL | BSL___GFP_DMA32, 2);
    bsl_cma* area = nullptr;
    REQUIRE(bsl_cma_declare_contiguous(0, 8 * mib, 0, 0, 0, false, "seen", &area) == 0);
    bsl_page* contiguous = bsl_cma_alloc(area, 300, 0, false);
    REQUIRE(contiguous != nullptr);
    const auto seen = look_at_own_heap();
    check_books(*seen);
    std::size_t mapped = 0;
    unsigned index = 0;
    for_each_zone_of(*seen, [&](std::uint8_t number, const zone_figures& zone) {
        INFO(name_of_zone(number));
        bsl_zone_stats stats{};
        stats.size = sizeof stats;
        REQUIRE(bsl_get_zone_stats(index++, &stats) == 0);
        CHECK(stats.name == name_of_zone(number));
        CHECK(stats.node == node_of_zone(number));
        CHECK(stats.mapped == zone.mapped());
        CHECK(stats.free_resident == zone.nr_free_resident << page_shift);
        CHECK(stats.free_clean == zone.clean_bytes());
        CHECK(stats.used + stats.free_resident + stats.free_clean == stats.mapped);
        for (unsigned order = 0; order < nr_page_orders; ++order)
            CHECK(stats.free_blocks[order] == zone.nr_free_blocks(order));
        mapped += zone.mapped();
    });
    CHECK(mapped == seen->all.mapped());
    CHECK(index == 3);
    CHECK(seen->zones[zone_number(0, zone_type::dma32)].nr_run_pages == 4);
    CHECK(seen->zones[zone_number(0, zone_type::movable)].nr_run_pages == 300);
    CHECK(seen->zones[zone_number(0, zone_type::movable)].mapped() == 8 * mib);
    bsl_free_block(low, 2);
    CHECK(bsl_cma_release(area, contiguous, 300) == 1);
}

TEST_CASE("there is no zone behind the last, and a struct that is too small is refused")
{
    bsl_zone_stats stats{};
    stats.size = sizeof stats;
    CHECK(bsl_get_zone_stats(nr_zones_max, &stats) == -ENOENT);
    stats.size = sizeof stats - 1;
    CHECK(bsl_get_zone_stats(0, &stats) == -EINVAL);
}

TEST_CASE("object caches of the program are counted like malloc's classes, under their names")
{
    bsl_kmem_cache* cache = bsl_kmem_cache_create("conn", 200, 0, BSL_SLAB_NO_MERGE, nullptr);
    bsl_kmem_cache* large = bsl_kmem_cache_create("frame", 50000, 0, BSL_SLAB_NO_MERGE, nullptr);
    std::vector<void*> objects(1000);
    for (void*& object : objects)
        object = bsl_kmem_cache_alloc(cache, BSL_GFP_KERNEL);
    void* one = bsl_kmem_cache_alloc(large, BSL_GFP_KERNEL);
    auto seen = look_at_own_heap();
    check_books(*seen);
    REQUIRE(find_cache(*seen, "conn") != nullptr);
    REQUIRE(find_cache(*seen, "frame") != nullptr);
    CHECK(find_cache(*seen, "conn")->nr_live() == 1000);
    CHECK(find_cache(*seen, "conn")->size == 208);
    CHECK(find_cache(*seen, "frame")->nr_live() == 1);
    CHECK(report("slabinfo", *seen).find("\nconn                1000 ") != std::string::npos);
    for (unsigned i = 0; i < 600; ++i)
        bsl_kmem_cache_free(cache, objects[i]);
    seen = look_at_own_heap();
    check_books(*seen);
    CHECK(find_cache(*seen, "conn")->nr_live() == 400);
    CHECK(find_cache(*seen, "conn")->nr_cached > 0);
    for (unsigned i = 600; i < 1000; ++i)
        bsl_kmem_cache_free(cache, objects[i]);
    bsl_kmem_cache_free(large, one);
    CHECK(bsl_kmem_cache_destroy(cache) == 0);
    CHECK(bsl_kmem_cache_destroy(large) == 0);
    seen = look_at_own_heap();
    check_books(*seen);
    CHECK(find_cache(*seen, "conn") == nullptr);
}

TEST_CASE("what threads keep of hundreds of caches is seen")
{
    std::vector<bsl_kmem_cache*> caches;
    for (unsigned i = 0; i < nr_near_caches + 70; ++i) {
        const std::string name = "c" + std::to_string(i);
        caches.push_back(bsl_kmem_cache_create(name.c_str(), 32, 0, BSL_SLAB_NO_MERGE, nullptr));
        void* objects[10];
        for (void*& object : objects)
            object = bsl_kmem_cache_alloc(caches[i], BSL_GFP_KERNEL);
        for (unsigned n = 0; n < 7; ++n)
            bsl_kmem_cache_free(caches[i], objects[n]);
    }
    const auto seen = look_at_own_heap();
    check_books(*seen);
    for (unsigned i = 0; i < caches.size(); ++i) {
        const cache_figures* found = find_cache(*seen, "c" + std::to_string(i));
        REQUIRE(found != nullptr);
        CHECK(found->nr_live() == 3);
        CHECK(found->nr_cached >= 7);
    }
}

TEST_CASE("caches that were merged are one, with the other names as aliases")
{
    std::vector<bsl_kmem_cache*> caches;
    for (const char* name : {"first", "second", "third", "second", "first"})
        caches.push_back(bsl_kmem_cache_create(name, 720, 0, 0, nullptr));
    CHECK(caches[0] == caches[2]);
    const auto seen = look_at_own_heap();
    REQUIRE(find_cache(*seen, "first") != nullptr);
    CHECK(find_cache(*seen, "second") == nullptr);
    CHECK(aliases_of(*seen, "first") == "second;third;");
    // As many as there is room for, whole, and the list ends.
    for (unsigned i = 0; i < 100; ++i)
        caches.push_back(
            bsl_kmem_cache_create(("name" + std::to_string(i)).c_str(), 720, 0, 0, nullptr));
    const std::string all = aliases_of(*look_at_own_heap(), "first");
    CHECK(all.size() < program_cache::aliases_size);
    CHECK(all.find("second;third;name0;name1;") == 0);
    for (bsl_kmem_cache* cache : caches)
        CHECK(bsl_kmem_cache_destroy(cache) == 0);
    bsl_kmem_cache* fresh = bsl_kmem_cache_create("fresh", 720, 0, 0, nullptr);
    CHECK(aliases_of(*look_at_own_heap(), "fresh").empty());
    CHECK(bsl_kmem_cache_destroy(fresh) == 0);
}

TEST_CASE("no name of a program's can spoil a report, nor be taken for another cache's")
{
    std::vector<bsl_kmem_cache*> caches;
    for (const char* name : {"my cache\n\"x\\", "kmalloc-64", "twice", "twice",
                             "gr\xc3\xb6\xc3\x9f"
                             "e",
                             ""})
        caches.push_back(bsl_kmem_cache_create(name, 100, 0, BSL_SLAB_NO_MERGE, nullptr));
    const auto seen = look_at_own_heap();
    CHECK(find_cache(*seen, "my_cache__x_") != nullptr);
    CHECK(find_cache(*seen, "gr????e") != nullptr);
    unsigned numbered = 0;
    for (const cache_figures& c : seen->caches) {
        numbered += std::string_view(c.name).find('#') != std::string_view::npos;
        for (const cache_figures& other : seen->caches)
            CHECK((&c == &other || c.size == 0 || other.size == 0 ||
                   std::string_view(c.name) != other.name));
    }
    CHECK(numbered == 3); // kmalloc-64, one of the two, and the one without a name
    for (bsl_kmem_cache* cache : caches)
        CHECK(bsl_kmem_cache_destroy(cache) == 0);
}

TEST_CASE("a cache that is called as another is numbered gets another number")
{
    const auto make = [](const std::vector<std::string>& names) {
        std::vector<bsl_kmem_cache*> caches;
        for (const std::string& name : names)
            caches.push_back(
                bsl_kmem_cache_create(name.c_str(), 100, 0, BSL_SLAB_NO_MERGE, nullptr));
        std::vector<std::string> seen;
        const auto heap = look_at_own_heap();
        for (std::size_t c = nr_caches; c < nr_all_caches; ++c) {
            if (heap->caches[c].size != 0 && std::strncmp(heap->caches[c].name, "foo", 3) == 0)
                seen.emplace_back(heap->caches[c].name);
        }
        for (bsl_kmem_cache* cache : caches)
            CHECK(bsl_kmem_cache_destroy(cache) == 0);
        return seen;
    };
    std::vector<std::string> seen = make({"foo", "foo", "foo"});
    REQUIRE(seen.size() == 3);
    seen = make({seen[2], "foo", "foo"}); // the first is called as the third would be
    REQUIRE(seen.size() == 3);
    CHECK(seen[0] != seen[1]);
    CHECK(seen[0] != seen[2]);
    CHECK(seen[1] != seen[2]);
    seen = make({seen[2], seen[0], "foo", "foo"});
    CHECK(std::set<std::string>(seen.begin(), seen.end()).size() == 4);
}
