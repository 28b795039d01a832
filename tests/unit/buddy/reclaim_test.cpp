#include "unit/buddy/own_zone.hpp"
#include "unit/memory.hpp"
#include "unit/params.hpp"

#include "buddy/reclaim.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <thread>
#include <vector>

using namespace bsl;

namespace
{

constexpr std::size_t order_bytes(unsigned order)
{
    return nr_pages(order) << page_shift;
}

/// A block that was written to everywhere, and is free again.
char* make_resident(own_zone& z, unsigned order, migrate_type type)
{
    char* at = z.alloc(order, type);
    std::memset(at, 1, order_bytes(order));
    z.free_dirty(at, nr_pages(order));
    return at;
}

std::size_t bytes_returned()
{
    return totals_of_reclaim().bytes;
}

} // namespace

TEST_CASE("reclaimed pages hold no memory any more, and the system has it")
{
    own_zone z;
    char* whole = make_resident(z, max_page_order, migrate_type::run);
    REQUIRE(resident_pages(whole, pageblock_size) == pageblock_size / 4096);
    const std::size_t before = bytes_returned();
    CHECK(reclaim_pages(z.get(), true, 0) == pageblock_size);
    CHECK(resident_pages(whole, pageblock_size) == 0);
    CHECK(bytes_returned() - before == pageblock_size);
    CHECK(totals_of_reclaim().calls >= 1);
    CHECK(z.counts().nr_dirty_large == 0);
    CHECK(z.counts().nr_free == pages_per_pageblock);
    CHECK(z.nr_free_blocks(max_page_order, residency::clean) == 1);
    CHECK(whole[0] == 0);
    z.validate();
}

TEST_CASE("pages in use stay when their neighbours are reclaimed")
{
    own_zone z;
    std::vector<char*> used;
    for (int i = 0; i < 200; ++i) {
        char* mine = z.alloc(0, migrate_type::slab);
        *mine = 7;
        used.push_back(mine);
        char* other = z.alloc(0, migrate_type::slab);
        *other = 8;
        pageblock_of(mine).dirty.set(address_to_pfn(mine) % pages_per_pageblock);
        z.free_dirty(other, 1);
    }
    reclaim_pages(z.get(), false, 0);
    CHECK(z.counts().nr_dirty_small == 0);
    bool all = true;
    for (char* at : used)
        all &= *at == 7;
    CHECK(all);
    z.validate();
}

TEST_CASE("as much as asked for is kept")
{
    own_zone z;
    for (int i = 0; i < 4; ++i)
        z.alloc(0, migrate_type::slab);
    std::vector<char*> blocks;
    for (int i = 0; i < 50; ++i)
        blocks.push_back(z.alloc(1, migrate_type::slab));
    z.alloc(0, migrate_type::slab);
    for (char* at : blocks) {
        std::memset(at, 1, order_bytes(1));
        z.free_dirty(at, 2);
    }
    const std::size_t dirty = z.counts().nr_dirty_small;
    REQUIRE(dirty >= 100);
    reclaim_pages(z.get(), false, 60 << page_shift);
    CHECK(z.counts().nr_dirty_small <= 60);
    reclaim_pages(z.get(), false, 60 << page_shift);
    CHECK(z.counts().nr_dirty_small <= 60);
}

TEST_CASE("pages between slabs and all others are bounded apart")
{
    own_zone z;
    char* used = z.alloc(max_page_order, migrate_type::slab);
    make_resident(z, max_page_order, migrate_type::run);
    std::memset(used, 1, pageblock_size);
    z.free_dirty(used, 100);
    CHECK(z.counts().nr_dirty_small == 100);
    CHECK(z.counts().nr_dirty_large == pages_per_pageblock);
    CHECK(reclaim_pages(z.get(), false, 0) == 100 * bytes_per_page);
    CHECK(z.counts().nr_dirty_small == 0);
    CHECK(z.counts().nr_dirty_large == pages_per_pageblock);
    CHECK(reclaim_pages(z.get(), true, 0) == pageblock_size);
    CHECK(z.counts().nr_dirty_large == 0);
}

TEST_CASE("balance keeps within the parameters")
{
    with_params restore;
    param.dirty_max = 64 * kib;
    param.dirty_large_max = pageblock_size;
    own_zone z;
    balance(z.get());
    std::vector<char*> blocks;
    for (int i = 0; i < 3; ++i)
        blocks.push_back(z.alloc(max_page_order, migrate_type::run));
    for (char* at : blocks) {
        std::memset(at, 1, pageblock_size);
        z.free_dirty(at, pages_per_pageblock);
    }
    REQUIRE(z.counts().nr_dirty_large == 3 * pages_per_pageblock);
    balance(z.get());
    CHECK(z.counts().nr_dirty_large << page_shift <= param.dirty_large_max);
    const std::size_t before = bytes_returned();
    balance(z.get());
    CHECK(bytes_returned() == before);
}

TEST_CASE("a bound that proves too low rises, and comes down when it is not needed")
{
    with_params restore;
    param.dirty_max = 64 * kib;
    param.decay_ms = 3600000;
    own_zone z;
    age(z.get()); // an interval begins
    z.alloc(0, migrate_type::slab);
    const std::size_t bound = bound_now(z.get(), false);
    const auto use_and_free = [&z] {
        char* at = z.alloc(8, migrate_type::slab);
        std::memset(at, 1, order_bytes(8));
        z.free_dirty(at, nr_pages(8));
        balance(z.get());
        return at;
    };
    char* at = use_and_free();
    CHECK(resident_pages(at, order_bytes(8)) <= bound >> page_shift);
    for (int i = 0; i < 3; ++i)
        at = use_and_free();
    CHECK(bound_now(z.get(), false) > bound);
    const std::size_t before = bytes_returned();
    use_and_free();
    CHECK(bytes_returned() == before); // it has learnt

    param.decay_ms = 0;
    for (int interval = 0; interval < 30; ++interval) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        age(z.get());
    }
    CHECK(bound_now(z.get(), false) == bound);
}

TEST_CASE("memory that was not needed for the time of decay is given back")
{
    with_params restore;
    param.decay_ms = 100;
    own_zone z;
    z.alloc(0, migrate_type::slab);
    char* idle = make_resident(z, 6, migrate_type::slab);
    age(z.get()); // ends no interval that began with these pages free
    CHECK(resident_pages(idle, order_bytes(6)) == order_bytes(6) / 4096);
    for (int interval = 0; interval < 2; ++interval) {
        std::this_thread::sleep_for(std::chrono::milliseconds(150));
        age(z.get());
    }
    CHECK(z.counts().nr_dirty_small == 0);
    CHECK(resident_pages(idle, order_bytes(6)) == 0);
}

TEST_CASE("memory that is needed all the time stays")
{
    with_params restore;
    param.decay_ms = 50;
    own_zone z;
    z.alloc(0, migrate_type::slab);
    char* at = z.alloc(6, migrate_type::slab);
    std::memset(at, 1, order_bytes(6));
    z.free_dirty(at, 64);
    for (int i = 0; i < 40; ++i) {
        char* again = z.alloc(6, migrate_type::slab);
        CHECK(again == at);
        age(z.get()); // while it is in use: the low water is zero
        z.free_dirty(again, 64);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    CHECK(resident_pages(at, order_bytes(6)) == order_bytes(6) / 4096);
}

TEST_CASE("pages can be discarded by their owner, many at a time")
{
    own_zone z;
    char* at = z.alloc(3, migrate_type::run);
    std::memset(at, 1, order_bytes(3));
    pageblock& block = pageblock_of(at);
    const std::size_t first = address_to_pfn(at) % pages_per_pageblock;
    block.dirty.set(first, 3); // of eight
    const std::size_t before = bytes_returned();
    discard_batch pages;
    pages.add(at, 8);
    pages.run();
    CHECK(bytes_returned() - before == 3 * bytes_per_page);
    CHECK(block.dirty.count(first, 8) == 0);
    CHECK(at[0] == 0);
    CHECK(at[3 * bytes_per_page] == 1); // it was said to be clean

    char* many = z.alloc(9, migrate_type::run);
    std::memset(many, 1, order_bytes(9));
    pageblock& all = pageblock_of(many);
    for (std::size_t i = 0; i < 512; i += 2) // more pieces than a batch holds
        all.dirty.set(address_to_pfn(many) % pages_per_pageblock + i, 1);
    discard_batch pieces;
    pieces.add(many, 200);
    pieces.add(many + 200 * bytes_per_page, 312);
    pieces.run();
    pieces.run(); // there is nothing left
    for (std::size_t i = 0; i < 512; ++i)
        REQUIRE(many[i * bytes_per_page] == static_cast<char>(i % 2));
    CHECK(all.dirty.count(address_to_pfn(many) % pages_per_pageblock, 512) == 0);
    CHECK(bytes_returned() - before == (3 + 256) * bytes_per_page);
}
