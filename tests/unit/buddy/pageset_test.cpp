#include "unit/buddy/own_zone.hpp"

#include "buddy/pageset.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <vector>

using namespace bsl;

namespace
{

/// Grows the arenas if need be.
char* alloc(pageset& from, own_zone& z, unsigned order)
{
    for (;;) {
        if (char* at = from.alloc(z.get(), order, migrate_type::slab))
            return at;
        REQUIRE(grow_arenas(1));
    }
}

std::size_t nr_pages_out(const own_zone& z)
{
    return z.counts().nr_online * pages_per_pageblock - z.counts().nr_free;
}

} // namespace

TEST_CASE("the block freed last is taken next")
{
    own_zone z;
    pageset pages;
    char* a = alloc(pages, z, 1);
    char* b = alloc(pages, z, 1);
    pages.free(z.get(), a, 2);
    pages.free(z.get(), b, 2);
    CHECK(alloc(pages, z, 1) == b);
    CHECK(alloc(pages, z, 1) == a);
}

TEST_CASE("what a pageset keeps is bounded, and drained to the zone")
{
    own_zone z;
    pageset pages;
    std::vector<char*> blocks;
    for (unsigned i = 0; i < 10 * pageset_capacity; ++i)
        blocks.push_back(alloc(pages, z, 0));
    for (char* block : blocks) {
        pages.free(z.get(), block, 1);
        REQUIRE(pages.nr_pages_held() <= pageset_capacity);
    }
    CHECK(pages.nr_pages_held() > 0);
    CHECK(nr_pages_out(z) == pages.nr_pages_held());
    pages.drain();
    CHECK(pages.nr_pages_held() == 0);
    CHECK(nr_pages_out(z) == 0);
}

TEST_CASE("a bound of nothing keeps nothing")
{
    own_zone z;
    pageset pages;
    pages.set_bound(0);
    char* at = alloc(pages, z, 2);
    pages.drain();
    pages.free(z.get(), at, 4);
    CHECK(pages.nr_pages_held() == 0);
    CHECK(nr_pages_out(z) == 0);
}

TEST_CASE("odd runs and large blocks go straight to the zone")
{
    own_zone z;
    pageset pages;
    char* at = alloc(pages, z, max_page_order);
    CHECK(pages.nr_pages_held() == 0);
    pages.free(z.get(), at, 3);
    pages.free(z.get(), at + 3 * bytes_per_page, pages_per_pageblock - 3);
    CHECK(pages.nr_pages_held() == 0);
    CHECK(nr_pages_out(z) == 0);
}

TEST_CASE("no block is lost and none is handed out twice")
{
    own_zone z;
    pageset pages;
    std::mt19937 random(8);
    std::set<char*> live[nr_page_orders];
    std::size_t used = 0;
    for (int step = 0; step < 20000; ++step) {
        const unsigned order = static_cast<unsigned>(random() % 6);
        std::set<char*>& mine = live[order];
        if (mine.empty() || random() % 2 == 0) {
            char* at = alloc(pages, z, order);
            REQUIRE(reinterpret_cast<std::uintptr_t>(at) % (nr_pages(order) << page_shift) == 0);
            REQUIRE(mine.insert(at).second);
            used += nr_pages(order);
        } else {
            char* at = *mine.begin();
            mine.erase(mine.begin());
            pages.free(z.get(), at, nr_pages(order));
            used -= nr_pages(order);
        }
        REQUIRE(nr_pages_out(z) == used + pages.nr_pages_held());
    }
    // Live blocks of all orders must not overlap.
    std::set<char*> touched;
    for (unsigned order = 0; order < nr_page_orders; ++order) {
        for (char* at : live[order]) {
            for (std::size_t i = 0; i < nr_pages(order); ++i)
                REQUIRE(touched.insert(at + (i << page_shift)).second);
        }
    }
}
