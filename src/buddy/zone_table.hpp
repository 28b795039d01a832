#pragma once

/// All zones: one set for each node, made when first needed.
///
///     node 0     NORMAL   DMA32   MOVABLE
///     node 1     NORMAL   DMA32   MOVABLE
///     …
///
///     NORMAL    addresses anywhere.  Node 0's is zone_normal, which malloc lives on as well
///     DMA32     addresses below 4 GiB: for 32-bit pointers, and code that jumps by 32 bits
///     MOVABLE   contiguous areas (cma.hpp).  Only what can be moved out of the way again is put there:
///               page frames under windows.  Never malloc, never alloc_pages
///
/// A zone's number says both.  It stands in each of its pageblocks: what is freed finds home by it.

#include "arena/mem_section.hpp"
#include "buddy/zone.hpp"

#include <atomic>
#include <string_view>

namespace bsl
{

enum class zone_type : std::uint8_t
{
    normal,
    dma32,
    movable,
};
inline constexpr unsigned nr_zone_types = 3;

inline constexpr unsigned nr_zones_max = nr_nodes_max * nr_zone_types;

constexpr std::uint8_t zone_number(unsigned node, zone_type type)
{
    return static_cast<std::uint8_t>(node * nr_zone_types + static_cast<unsigned>(type));
}
static_assert(zone_number(0, zone_type::normal) == malloc_zone);

constexpr unsigned node_of_zone(std::uint8_t number)
{
    return number / nr_zone_types;
}

constexpr zone_type type_of_zone(std::uint8_t number)
{
    return static_cast<zone_type>(number % nr_zone_types);
}

/// As the kernel calls it.
constexpr std::string_view name_of_zone(std::uint8_t number)
{
    switch (type_of_zone(number)) {
    case zone_type::dma32:
        return "DMA32";
    case zone_type::movable:
        return "Movable";
    case zone_type::normal:
        break;
    }
    return "Normal";
}

/// The types of a node's zones, from the lowest addresses on: the order of the kernel's files.
inline constexpr zone_type zone_types_ascending[nr_zone_types] = {
    zone_type::dma32, zone_type::normal, zone_type::movable};

/// The zone of a number, nullptr if nobody has made it.
zone* zone_at(std::uint8_t number);

/// The same; made if need be.  nullptr without memory.
zone* make_zone(std::uint8_t number);

/// The zone that a page in an arena belongs to.
inline zone& zone_of(const void* address)
{
    return *zone_at(pageblock_of(address).zone);
}

/// The zones by number, for readers of this process's memory (heap/root.hpp).
using zone_array = std::atomic<zone*>[nr_zones_max];
extern const zone_array* const zones_at;

/// Calls fn(zone&) for every zone there is, in ascending order of their numbers.
template <typename Fn>
void for_each_zone(Fn fn)
{
    for (unsigned number = 0; number < nr_zones_max; ++number) {
        if (zone* z = zone_at(static_cast<std::uint8_t>(number)))
            fn(*z);
    }
}

} // namespace bsl
