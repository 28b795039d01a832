#pragma once

/// How a cache lays out its slabs, and the table of all caches: constants, computed by the compiler.

#include "slab/kmem_cache.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace bsl
{

/// Smallest order whose slab loses at most an eighth to the rest behind its last object.
constexpr unsigned slab_order_min(std::size_t size)
{
    unsigned order = size <= bytes_per_page ? 0 : ilog2_ceil(size) - page_shift;
    if (size > slab_size_max)
        return order;
    while (order < slab_order_max &&
           (bytes_per_page << order) % size > (bytes_per_page << order) / 8)
        ++order;
    return order;
}

/// Order of slabs of a busy cache: room for 8 objects, 32 KiB at least.
constexpr unsigned slab_order_busy(std::size_t size)
{
    const unsigned least = slab_order_min(size);
    if (size > slab_size_max)
        return least;
    const std::size_t wanted = 8 * size < 32 * kib ? 32 * kib : 8 * size;
    const unsigned order = ilog2_ceil(wanted) - page_shift;
    const unsigned bounded = order < slab_order_max ? order : slab_order_max;
    return bounded < least ? least : bounded;
}

/// As many as sheaf_bytes_max holds, but not less than a few.
constexpr unsigned sheaf_capacity_for(std::size_t size)
{
    return static_cast<unsigned>(
        std::clamp<std::size_t>(sheaf_bytes_max / size, sheaf_objects_min, sheaf_capacity_max));
}

/// By a cache's number and size class.
constexpr unsigned map_class_of(unsigned number, unsigned size_class)
{
    if (is_single_class(number))
        return single_map_class;
    if (number < nr_caches)
        return is_malloc_class(size_class) ? size_class : 0;
    const unsigned slot = number - nr_caches;
    return slot < nr_near_caches ? nr_slab_classes + slot : 0;
}

constexpr kmem_cache::kmem_cache(unsigned number, unsigned size_class, std::string_view name,
                                 std::size_t size)
    : name_{}, size_(static_cast<std::uint32_t>(size)),
      reciprocal_(static_cast<std::uint32_t>(((std::uint64_t{1} << 32) + size - 1) / size)),
      number_(static_cast<std::uint16_t>(number)),
      size_class_(static_cast<std::uint8_t>(size_class)),
      map_class_(static_cast<std::uint8_t>(map_class_of(number, size_class))),
      order_min_(static_cast<std::uint8_t>(slab_order_min(size))),
      order_max_(static_cast<std::uint8_t>(slab_order_busy(size))),
      sheaf_capacity_(static_cast<std::uint8_t>(sheaf_capacity_for(size))), objects_in_{}
{
    for (std::size_t i = 0; i < name.size() && i + 1 < sizeof name_; ++i)
        name_[i] = name[i];
    for (unsigned order = 0; order <= slab_order_max; ++order) {
        const std::size_t fit = (bytes_per_page << order) / size;
        objects_in_[order] = static_cast<std::uint16_t>(is_single() ? 1 : fit);
    }
}

/// offset * reciprocal >> 32 is offset / size for every offset in a slab.
constexpr bool reciprocal_is_exact(std::size_t size)
{
    const std::uint64_t reciprocal = ((std::uint64_t{1} << 32) + size - 1) / size;
    const std::uint64_t error = reciprocal * size - (std::uint64_t{1} << 32);
    return error * (bytes_per_page << slab_order_max) < (std::uint64_t{1} << 32);
}

} // namespace bsl
