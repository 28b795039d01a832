#pragma once

/// Objects straight from a cache, as thread heaps take them: without sheaves.

#include "arena/arena.hpp"
#include "slab/kmem_cache.hpp"
#include "slab/size_class.hpp"

#include <catch2/catch.hpp>
#include <vector>

/// At most `want` objects; the arenas grow if need be.
inline std::vector<void*> refill(const bsl::kmem_cache& cache, unsigned want, bool* zeros = nullptr,
                                 unsigned shard = 0)
{
    std::vector<void*> objects(want);
    for (;;) {
        bsl::page_use use;
        const unsigned got = cache.refill(nullptr, shard, objects.data(), want, use);
        objects.resize(got);
        if (zeros != nullptr)
            *zeros = use.zeros;
        if (got != 0) {
            bsl::populate(use);
            return objects;
        }
        objects.resize(want);
        const unsigned node = bsl::node_of_shard(shard);
        REQUIRE(bsl::grow_arenas(1, bsl::zone_of_node(node).number(), node));
    }
}

/// Exactly `n` objects, one slab after the other.
inline std::vector<void*> take(const bsl::kmem_cache& cache, std::size_t n)
{
    std::vector<void*> objects;
    while (objects.size() < n) {
        const std::size_t rest = n - objects.size();
        const std::vector<void*> more = refill(cache, static_cast<unsigned>(rest < 61 ? rest : 61));
        objects.insert(objects.end(), more.begin(), more.end());
    }
    return objects;
}

inline void flush(const bsl::kmem_cache& cache, const std::vector<void*>& objects)
{
    for (std::size_t i = 0; i < objects.size(); i += bsl::sheaf_capacity_max) {
        const std::size_t rest = objects.size() - i;
        const auto n = rest < bsl::sheaf_capacity_max ? rest : bsl::sheaf_capacity_max;
        cache.flush(nullptr, objects.data() + i, static_cast<unsigned>(n));
    }
}

inline const bsl::kmem_cache& cache_of_size(std::size_t size)
{
    return bsl::kmalloc_cache(bsl::class_of(size));
}

inline bsl::object_position position(const void* p)
{
    return bsl::locate(p, *bsl::virt_to_page(p));
}
