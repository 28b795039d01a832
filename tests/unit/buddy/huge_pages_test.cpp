#include "unit/buddy/own_zone.hpp"
#include "unit/huge_pages.hpp"
#include "unit/memory.hpp"
#include "unit/params.hpp"

#include "arena/huge_pages.hpp"
#include "buddy/reclaim.hpp"

#include <catch2/catch.hpp>
#include <cstring>

using namespace bsl;

namespace
{

bool is_given(const pageblock& block)
{
    return block.huge.load() == huge_advice::given;
}

} // namespace

TEST_CASE("huge pages are asked for where slabs begin to fill a pageblock of a large heap")
{
    with_params restore;
    own_zone z;
    make_pages_take(1'000'000'000);

    SECTION("not in a small one")
    {
        param.huge_pages_from = 64 * mib;
        pageblock& block = pageblock_of(z.alloc(0, migrate_type::slab));
        open_pages(block, block.start, 1);
        CHECK_FALSE(is_given(block));
        CHECK(has_flag(block.start, "nh") == kernel_has_huge_pages());
    }
    SECTION("not for runs")
    {
        param.huge_pages_from = 0;
        pageblock& block = pageblock_of(z.alloc(0, migrate_type::run));
        open_pages(block, block.start, 1);
        CHECK_FALSE(is_given(block));
    }
    SECTION("not where there is memory already")
    {
        param.huge_pages_from = SIZE_MAX;
        char* used = z.alloc(max_page_order, migrate_type::slab);
        z.free_dirty(used, pages_per_pageblock);
        param.huge_pages_from = 0;
        char* again = z.alloc(0, migrate_type::slab);
        REQUIRE(&pageblock_of(again) == &pageblock_of(used));
        open_pages(pageblock_of(again), again, 1);
        CHECK_FALSE(is_given(pageblock_of(again)));
    }
    SECTION("until single pages are given back")
    {
        param.huge_pages_from = 0;
        char* at = z.alloc(0, migrate_type::slab);
        pageblock& block = pageblock_of(at);
        open_pages(block, at, 1);
        CHECK(is_given(block) == kernel_gives_huge_pages());
        CHECK(has_flag(at, "hg") == kernel_gives_huge_pages());
        std::memset(at, 1, bytes_per_page);
        z.alloc(0, migrate_type::slab); // the block stays in use
        z.free_dirty(at, 1);
        CHECK(reclaim_pages(z.get(), false, 0) == bytes_per_page);
        CHECK(has_flag(at, "nh") == kernel_has_huge_pages());
        open_pages(block, at, 1);
        CHECK_FALSE(is_given(block));
    }
}

TEST_CASE("what came with a huge page goes back with it, though nobody opened it")
{
    with_params restore;
    own_zone z;
    make_pages_take(1'000'000'000);
    param.huge_pages_from = 0;
    char* at = z.alloc(0, migrate_type::slab);
    pageblock& block = pageblock_of(at);
    open_pages(block, at, 1);
    std::memset(at, 1, bytes_per_page);
    CHECK(resident_pages(block.start, pageblock_size) >= 1);

    z.free_dirty(at, 1);
    CHECK(block.nr_dirty_free == pages_per_pageblock);
    CHECK(reclaim_pages(z.get(), true, 0) == pageblock_size);
    CHECK(resident_pages(block.start, pageblock_size) == 0);
    CHECK(block.nr_dirty_free == 0);
    CHECK(has_flag(block.start, "nh") == kernel_has_huge_pages());
}

TEST_CASE("huge pages are asked for as long as they are quicker than their pages one by one")
{
    page_costs costs;
    const std::uint64_t limit = pages_per_huge_page * 2000;
    auto settle = [&](std::uint64_t ns_huge) {
        for (int i = 0; i < 100; ++i) {
            costs.note_pages(16, 16 * 2000);
            costs.note_huge(ns_huge);
        }
    };
    auto nr_asked = [&](unsigned times) {
        unsigned asked = 0;
        while (times-- != 0)
            asked += costs.asks_for_huge() ? 1 : 0;
        return asked;
    };

    CHECK(nr_asked(100) == 100); // nothing is known
    settle(limit / 2);
    CHECK(nr_asked(100) == 100);
    settle(limit * 2);
    CHECK_FALSE(costs.does_huge_pay());

    SECTION("one of many is tried again")
    {
        REQUIRE(nr_asked(huge_page_retry - 1) == 0);
        REQUIRE(nr_asked(1) == 1);
        costs.note_huge(limit * 2);
        CHECK(nr_asked(huge_page_retry - 1) == 0);
        CHECK(nr_asked(1) == 1);
    }
    SECTION("and decides alone")
    {
        nr_asked(huge_page_retry);
        costs.note_huge(limit / 2);
        CHECK(nr_asked(100) == 100);
    }
    SECTION("nor is what comes too quickly: it was a single page")
    {
        settle(limit / 2);
        REQUIRE(costs.does_huge_pay());
        costs.note_huge(3000);
        CHECK(nr_asked(huge_page_retry - 1) == 0);
        CHECK(nr_asked(1) == 1);
    }
    SECTION("they pay again where single pages have become slow")
    {
        for (int i = 0; i < 100; ++i)
            costs.note_pages(16, 16 * 20000);
        CHECK(nr_asked(100) == 100);
    }
}

TEST_CASE("of the first huge page that is slow no second one is asked for")
{
    with_params restore;
    own_zone z;
    param.huge_pages_from = 0;
    make_pages_take(0); // any huge page is slow, compared with these
    for (unsigned i = 0; i < 2 * huge_page_retry; ++i) {
        char* at = z.alloc(max_page_order, migrate_type::slab);
        open_pages(pageblock_of(at), at, 1);
        CHECK_FALSE(is_given(pageblock_of(at)));
        CHECK(has_flag(at, "nh") == kernel_has_huge_pages());
    }
}
