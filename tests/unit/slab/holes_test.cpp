#include "unit/memory.hpp"
#include "unit/params.hpp"
#include "unit/slab/objects.hpp"

#include "arena/mem_section.hpp"
#include "buddy/reclaim.hpp"

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
