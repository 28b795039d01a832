#include "unit/memory.hpp"
#include "unit/params.hpp"
#include "unit/slab/objects.hpp"

#include "arena/mem_section.hpp"
#include "buddy/reclaim.hpp"
#include "slab/holes.hpp"

#include <algorithm>
#include <cstring>
#include <set>

using namespace bsl;

TEST_CASE("free pages inside slabs are given back, and nothing else is")
{
    const kmem_cache& cache = cache_of_size(512);
    const std::vector<void*> objects = take(cache, 4000);
    for (void* object : objects)
        std::memset(object, 5, 512);
    // One object in 64 stays: of eight pages seven are free.
    std::vector<void*> freed;
    std::vector<char*> kept;
    for (std::size_t i = 0; i < objects.size(); ++i) {
        if (i % 64 == 0)
            kept.push_back(static_cast<char*>(objects[i]));
        else
            freed.push_back(objects[i]);
    }
    flush(cache, freed);
    std::set<char*> pages;
    for (void* object : objects)
        pages.insert(pfn_to_address(address_to_pfn(object)));
    const auto nr_resident = [&] {
        std::size_t n = 0;
        for (char* at : pages)
            n += is_mapped(at) && resident_pages(at, bytes_per_page) != 0 ? 1 : 0;
        return n;
    };
    const std::size_t before = nr_resident();
    const std::size_t returned = totals_of_reclaim().bytes;
    REQUIRE(before >= pages.size() * 9 / 10);
    discard_all_holes();
    CHECK(nr_resident() <= pages.size() / 4);
    CHECK(totals_of_reclaim().bytes - returned >= (before - pages.size() / 4) * bytes_per_page);
    bool all = true;
    for (const char* object : kept) {
        for (int k = 0; k < 512; ++k)
            all &= object[k] == 5;
    }
    CHECK(all);
    cache.validate();

    // What is in the holes can be used again, and is not doubled.
    std::set<void*> again(kept.begin(), kept.end());
    for (void* object : take(cache, freed.size())) {
        REQUIRE(again.insert(object).second);
        std::memset(object, 6, 512);
    }
    for (const char* object : kept)
        all &= object[0] == 5 && object[511] == 5;
    CHECK(all);
    cache.validate();
}

TEST_CASE("slabs whose holes were given back are settled until an object of theirs comes or goes")
{
    const kmem_cache& cache = cache_of_size(2048);
    const std::vector<void*> objects = take(cache, 1600);
    for (void* object : objects)
        std::memset(object, 1, 2048);
    std::vector<void*> freed;
    std::vector<void*> kept; // of every slab of up to eight pages at least one
    for (std::size_t i = 0; i < objects.size(); ++i)
        (i % 8 == 0 ? kept : freed).push_back(objects[i]);
    flush(cache, freed);
    const auto nr_settled = [&kept] {
        std::size_t n = 0;
        for (void* object : kept)
            n += position(object).head->is_settled;
        return n;
    };
    const auto is_resident = [](void* object) {
        char* const at = pfn_to_address(address_to_pfn(object));
        return is_mapped(at) && resident_pages(at, bytes_per_page) != 0;
    };
    CHECK(nr_settled() == 0);
    discard_all_holes();
    CHECK(nr_settled() == kept.size());
    cache.validate();

    // What comes back makes its slab one to look at, and only this one; its page goes as others went.
    const auto one = kept.begin() + 100; // not the only one of its slab
    void* const object = *one;
    kept.erase(one);
    REQUIRE(is_resident(object));
    flush(cache, {object});
    CHECK_FALSE(position(object).head->is_settled);
    CHECK(nr_settled() >= kept.size() - 16); // objects of one slab
    cache.validate();
    discard_all_holes();
    CHECK_FALSE(is_resident(object));
    CHECK(nr_settled() == kept.size());

    // So does what is taken, and comes back after that.
    const std::vector<void*> again = take(cache, 200);
    for (void* object : again)
        std::memset(object, 2, 2048);
    flush(cache, again);
    CHECK(nr_settled() < kept.size());
    discard_all_holes();
    CHECK(std::none_of(again.begin(), again.end(), [&](void* hole) {
        const bool shares_page = std::any_of(kept.begin(), kept.end(), [hole](void* other) {
            return address_to_pfn(hole) == address_to_pfn(other);
        });
        return !shares_page && is_resident(hole);
    }));
    cache.validate();
    flush(cache, kept);
}

TEST_CASE("pages that were opened ahead, and given back before they were populated, count as dirty")
{
    const kmem_cache& cache = cache_of_size(1024);
    const std::vector<void*> many = take(cache, 20000); // so that it opens pages ahead
    page_use use;
    std::vector<void*> taken;
    while (use.nr_opened < 2) {
        use = {};
        void* objects[4];
        const unsigned n = cache.refill(nullptr, 0, objects, 4, use);
        REQUIRE(n != 0);
        taken.insert(taken.end(), objects, objects + n);
        if (use.nr_opened < 2)
            populate(use);
    }
    discard_all_holes(); // as another thread may
    populate(use);
    const pageblock& block = pageblock_of(use.opened);
    const auto first = static_cast<std::size_t>(use.opened - block.start) >> page_shift;
    for (std::size_t i = 0; i < use.nr_opened; ++i) {
        if (resident_pages(block.start + ((first + i) << page_shift), bytes_per_page) != 0)
            CHECK(block.dirty.test(first + i));
    }
    flush(cache, taken);
    flush(cache, many);
}

TEST_CASE("holes that are filled again and again stay, where no page between slabs is free")
{
    with_params restore;
    param.dirty_max = 64 * kib;
    param.decay_ms = 3600000;
    discard_all_holes();
    age(zone_normal); // an interval begins
    const kmem_cache& cache = cache_of_size(2048);
    std::vector<void*> objects = take(cache, 1000);
    const auto use_and_free = [&] { // one in 32 stays
        std::vector<void*> freed;
        for (std::size_t i = 0; i < objects.size(); ++i) {
            std::memset(objects[i], 1, 2048);
            if (i % 32 != 0)
                freed.push_back(objects[i]);
        }
        flush(cache, freed);
        const std::size_t before = totals_of_reclaim().bytes;
        balance_holes();
        const std::size_t returned = totals_of_reclaim().bytes - before;
        const std::vector<void*> again = take(cache, freed.size());
        balance_holes(); // sees that the holes are filled
        for (std::size_t i = 0, next = 0; i < objects.size(); ++i) {
            if (i % 32 != 0)
                objects[i] = again[next++];
        }
        return returned;
    };
    CHECK(use_and_free() >= 500 * kib);
    use_and_free();
    use_and_free();
    CHECK(use_and_free() == 0); // it has learnt
    flush(cache, objects);
}

TEST_CASE("of slabs whose last objects come back while their holes are on the way no more stay "
          "than of others")
{
    const kmem_cache& cache = cache_of_size(512);
    std::vector<void*> first;
    std::vector<void*> others;
    std::set<page*> slabs;
    for (void* object : take(cache, 1000))
        (slabs.insert(position(object).head).second ? first : others).push_back(object);
    REQUIRE(slabs.size() > 2);
    flush(cache, others);

    hole_batch batch;
    cache.discard_holes(batch);
    REQUIRE(batch.nr > empty_slab_bytes_max / bytes_per_page);
    flush(cache, first);
    kmem_cache::give_back(batch);
    cache.validate();
    CHECK(cache.node(0)->nr_free == cache.node(0)->nr_objects);
    CHECK(cache.node(0)->nr_pages_held << page_shift <= empty_slab_bytes_max);
}
