#include "unit/buddy/own_zone.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <random>
#include <vector>

using namespace bsl;

TEST_CASE("a block is aligned to its size and counted")
{
    own_zone z;
    for (unsigned order = 0; order < nr_page_orders; ++order) {
        const std::size_t free = z.counts().nr_free;
        const std::size_t online = z.counts().nr_online;
        char* at = z.alloc(order, migrate_type::run);
        CHECK(reinterpret_cast<std::uintptr_t>(at) % (nr_pages(order) << page_shift) == 0);
        const std::size_t added = (z.counts().nr_online - online) * pages_per_pageblock;
        CHECK(z.counts().nr_free == free + added - nr_pages(order));
    }
    z.validate();
}

TEST_CASE("resident blocks come before clean ones, even if they must be split")
{
    own_zone z;
    char* small = z.alloc(0, migrate_type::slab);
    char* large = z.alloc(4, migrate_type::slab);
    // Between them there are clean blocks of each order.
    z.free_dirty(large, nr_pages(4));
    CHECK(z.counts().nr_dirty_small == nr_pages(4));
    char* first = z.alloc(0, migrate_type::slab);
    CHECK(first >= large);
    CHECK(first < large + (nr_pages(4) << page_shift));
    CHECK(z.counts().nr_dirty_small == nr_pages(4) - 1);
    z.free_clean(small, 1);
    char* second = z.alloc(2, migrate_type::slab);
    CHECK(second >= large);
    CHECK(second < large + (nr_pages(4) << page_shift));
    z.validate();
}

TEST_CASE("an exact resident block comes before a larger one")
{
    own_zone z;
    char* single = z.alloc(0, migrate_type::slab);
    z.alloc(0, migrate_type::slab); // keeps the first from merging
    char* four = z.alloc(2, migrate_type::slab);
    z.free_dirty(four, 4);
    z.free_dirty(single, 1);
    CHECK(z.alloc(0, migrate_type::slab) == single);
    CHECK(z.alloc(2, migrate_type::slab) == four);
}

TEST_CASE("slabs and runs live apart while there is a wholly free pageblock")
{
    own_zone z;
    char* slab = z.alloc(0, migrate_type::slab);
    char* all = z.alloc(max_page_order, migrate_type::run);
    z.free_clean(all, pages_per_pageblock);
    char* run = z.alloc(0, migrate_type::run);
    CHECK(&pageblock_of(run) == &pageblock_of(all));
    CHECK(&pageblock_of(z.alloc(0, migrate_type::slab)) == &pageblock_of(slab));
    CHECK(&pageblock_of(z.alloc(0, migrate_type::run)) == &pageblock_of(run));
}

TEST_CASE("they share one before another is begun")
{
    own_zone z;
    char* slab = z.alloc(0, migrate_type::slab);
    CHECK(&pageblock_of(z.alloc(0, migrate_type::run)) == &pageblock_of(slab));
    CHECK(z.counts().nr_online == 1);
}

TEST_CASE("a wholly freed pageblock is open to either use")
{
    own_zone z;
    char* at = z.alloc(0, migrate_type::slab);
    pageblock& block = pageblock_of(at);
    CHECK(block.type == migrate_type::slab);
    z.free_dirty(at, 1);
    CHECK(block.type == migrate_type::none);
    CHECK(z.counts().nr_dirty_large == 1);
    CHECK(z.counts().nr_dirty_small == 0);
    CHECK(&pageblock_of(z.alloc(max_page_order, migrate_type::run)) == &block);
}

TEST_CASE("freed in any order, blocks become one again")
{
    own_zone z;
    std::mt19937 random(5);
    std::vector<char*> blocks;
    for (int i = 0; i < 1024; ++i)
        blocks.push_back(z.alloc(0, migrate_type::slab));
    CHECK(z.counts().nr_online == 1);
    CHECK(z.counts().nr_free == 0);
    std::shuffle(blocks.begin(), blocks.end(), random);
    for (char* block : blocks)
        z.free_clean(block, 1);
    CHECK(z.nr_free_blocks(max_page_order, residency::clean) == 1);
    CHECK(z.counts().nr_free == pages_per_pageblock);
}

TEST_CASE("any run of pages can be given back, in any parts")
{
    own_zone z;
    std::mt19937 random(6);
    for (int round = 0; round < 200; ++round) {
        char* at = z.alloc(max_page_order, migrate_type::run);
        for (std::size_t first = 0; first < pages_per_pageblock;) {
            const std::size_t count = 1 + random() % (pages_per_pageblock - first);
            z.free_clean(at + (first << page_shift), count);
            first += count;
        }
        REQUIRE(z.counts().nr_free == z.counts().nr_online * pages_per_pageblock);
    }
    CHECK(z.counts().nr_online == 1);
    z.validate();
}

TEST_CASE("the peak of use stays when use falls")
{
    own_zone z;
    char* a = z.alloc(5, migrate_type::run);
    char* b = z.alloc(6, migrate_type::run);
    CHECK(z.counts().nr_used_peak == 32 + 64);
    z.free_clean(a, 32);
    z.alloc(3, migrate_type::run);
    CHECK(z.counts().nr_used_peak == 32 + 64);
    z.free_clean(b, 64);
    z.alloc(8, migrate_type::run);
    CHECK(z.counts().nr_used_peak == 256 + 8);
}

TEST_CASE("neighbouring free pageblocks can be taken as one")
{
    own_zone z;
    REQUIRE(grow_arenas(6)); // one arena
    std::vector<char*> blocks;
    for (int i = 0; i < 6; ++i)
        blocks.push_back(z.alloc(max_page_order, migrate_type::run));
    std::sort(blocks.begin(), blocks.end());
    bool neighbours = true;
    for (int i = 0; i < 5; ++i)
        neighbours &= blocks[static_cast<std::size_t>(i) + 1] ==
                      blocks[static_cast<std::size_t>(i)] + pageblock_size;
    REQUIRE(neighbours);
    z.free_clean(blocks[0], pages_per_pageblock);
    z.free_clean(blocks[2], pages_per_pageblock);
    z.free_clean(blocks[3], pages_per_pageblock);
    z.free_dirty(blocks[4], pages_per_pageblock);
    CHECK(z.alloc_adjacent(4) == nullptr);
    CHECK(z.alloc_adjacent(3) == blocks[2]);
    CHECK(z.counts().nr_free == pages_per_pageblock);
    CHECK(z.alloc_adjacent(1) == blocks[0]);
    CHECK(z.alloc_adjacent(1) == nullptr);
    z.validate();
}

TEST_CASE("resident blocks can be picked out, the largest first")
{
    own_zone z;
    char* a = z.alloc(3, migrate_type::slab);
    z.alloc(3, migrate_type::slab);
    char* b = z.alloc(5, migrate_type::slab);
    char* whole = z.alloc(max_page_order, migrate_type::run);
    z.free_dirty(a, 8);
    z.free_dirty(b, 32);
    z.free_dirty(whole, pages_per_pageblock);
    unsigned order = 99;
    CHECK(z.take_resident(migrate_type::none, 0, order) == whole);
    CHECK(order == max_page_order);
    CHECK(z.take_resident(migrate_type::none, 0, order) == nullptr);
    CHECK(z.take_resident(migrate_type::slab, 9, order) == nullptr);
    char* largest = z.take_resident(migrate_type::slab, 0, order);
    CHECK(order >= 5);
    CHECK(largest <= b);
    CHECK(largest + (nr_pages(order) << page_shift) > b);
    CHECK(z.take_resident(migrate_type::slab, 0, order) == a);
    CHECK(order == 3);
    CHECK(z.counts().nr_dirty_small == 0);
}

TEST_CASE("the order of a block that holds memory already can be asked for")
{
    own_zone z;
    CHECK(z.resident_order(0, 4) == 4); // there is none
    char* at = z.alloc(4, migrate_type::slab);
    z.free_dirty(at + 2 * bytes_per_page, 2); // of pages 2 and 3
    CHECK(z.resident_order(0, 4) == 1);
    CHECK(z.resident_order(1, 4) == 1);
    CHECK(z.resident_order(2, 4) == 4); // none that is large enough
    z.free_dirty(at + 8 * bytes_per_page, 8);
    CHECK(z.resident_order(0, 4) == 3);
    CHECK(z.resident_order(0, 2) == 2); // a larger one can be split
}

TEST_CASE("a run of pages goes where it fits best, at any page")
{
    own_zone z;
    char* at[8];
    for (char*& run : at)
        run = z.alloc_run(10, run_fit::tight);
    for (int i = 1; i < 8; ++i)
        CHECK(at[i] - at[i - 1] == 10 * bytes_per_page); // no power of two in the way
    z.free_dirty(at[1], 10);
    z.free_dirty(at[4], 20); // and half of the pages behind it
    CHECK(z.alloc_run(9, run_fit::tight) == at[1]);
    CHECK(z.alloc_run(17, run_fit::tight) == at[4]);
    CHECK(z.counts().nr_dirty_large == 1 + 3);
    z.validate();
}

TEST_CASE("a run prefers pages that hold memory")
{
    own_zone z;
    char* first = z.alloc_run(30, run_fit::tight);
    char* second = z.alloc_run(30, run_fit::tight);
    z.alloc_run(1, run_fit::tight);
    z.free_clean(first, 30);
    z.free_dirty(second + 10 * bytes_per_page, 20);
    CHECK(z.alloc_run(15, run_fit::tight) == second + 10 * bytes_per_page);
    z.validate();
}

TEST_CASE("a roomy run can grow to its double")
{
    own_zone z;
    char* hole = z.alloc_run(20, run_fit::tight);
    z.alloc_run(1, run_fit::tight);
    z.free_dirty(hole, 20);
    char* run = z.alloc_run(20, run_fit::roomy);
    CHECK(run == hole); // rather than a page fault for each page
    char* clean = z.alloc_run(20, run_fit::roomy);
    CHECK(z.extend_run(clean + 20 * bytes_per_page, 20));
    CHECK_FALSE(z.extend_run(run + 20 * bytes_per_page, 1));
    z.validate();
}

TEST_CASE("a pageblock that is released leaves the zone")
{
    own_zone z;
    CHECK(z.release_block() == nullptr);
    char* at = z.alloc(max_page_order, migrate_type::run);
    CHECK(z.release_block() == nullptr);
    z.free_dirty(at, pages_per_pageblock);
    pageblock* block = z.release_block();
    REQUIRE(block == &pageblock_of(at));
    CHECK(block->state == pageblock_state::offline);
    CHECK(z.counts().nr_online == 0);
    CHECK(z.counts().nr_free == 0);
    CHECK(z.counts().nr_dirty_large == 0);
}

TEST_CASE("random use keeps every count true, and no page is handed out twice")
{
    own_zone z;
    std::mt19937 random(7);
    struct run
    {
        char* at;
        std::size_t pages;
        unsigned char mark;
    };
    std::vector<run> runs;
    std::size_t used = 0;
    for (int step = 0; step < 8000; ++step) {
        if (runs.empty() || (random() % 2 == 0 && used < 6000)) {
            const unsigned order = static_cast<unsigned>(random() % (random() % 16 == 0 ? 11 : 5));
            char* at = z.alloc(order, random() % 4 == 0 ? migrate_type::run : migrate_type::slab);
            const auto mark = static_cast<unsigned char>(random());
            for (std::size_t i = 0; i < nr_pages(order); ++i)
                at[i << page_shift] = static_cast<char>(mark);
            runs.push_back({at, nr_pages(order), mark});
            used += nr_pages(order);
            continue;
        }
        const std::size_t i = random() % runs.size();
        const run r = runs[i];
        runs[i] = runs.back();
        runs.pop_back();
        used -= r.pages;
        for (std::size_t k = 0; k < r.pages; ++k)
            REQUIRE(static_cast<unsigned char>(r.at[k << page_shift]) == r.mark);
        z.free_dirty(r.at, r.pages);
        REQUIRE(z.counts().nr_free == z.counts().nr_online * pages_per_pageblock - used);
        if (step % 500 == 0)
            z.validate();
    }
}
