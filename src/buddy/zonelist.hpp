#pragma once

/// Which zone memory is taken from: the nodes' zones in order.
///
///     malloc          NORMAL of the node that the thread runs on
///     alloc_pages     the zonelist of a node, as the kernel's: its zones from the wanted type downwards,
///                     then those of the other nodes by distance
///
///         node 1 of three, ZONE_NORMAL:   NORMAL 1  DMA32 1  NORMAL 2  DMA32 2  NORMAL 0  DMA32 0
///
/// In the kernel a zone has what memory it has, and one turns to the next when it is used up.  Here a zone
/// grows as long as the system gives memory, so that a fallback comes after growing, when a limit is
/// reached: memory_is_short() from then on, until an arena is had again or an interval of ageing ends.
///
/// What is freed goes to the zone that its pageblock names.
///
/// On a machine with one node all of this is one comparison.

#include "arena/node.hpp"
#include "buddy/zone_table.hpp"

namespace bsl
{

/// Made if need be; zone_normal where there is no memory for that.
zone& make_zone_of_node(unsigned node);

/// The zone of malloc on a node.
inline zone& zone_of_node(unsigned node)
{
    return nr_nodes() == 1 ? zone_normal : make_zone_of_node(node);
}

/// The zone of malloc that an address in use belongs to.
inline zone& home_of(const void* address)
{
    return nr_nodes() == 1 ? zone_normal : zone_of(address);
}

inline unsigned node_of(const void* address)
{
    return nr_nodes() == 1 ? 0 : node_of_zone(pageblock_of(address).zone);
}

/// Is it memory of the node that this thread runs on?
inline bool is_local(const void* address)
{
    return nr_nodes() == 1 || node_of_zone(pageblock_of(address).zone) == current_node();
}

/// Does the system refuse more memory?  Other nodes' is taken then, and zones keep above their watermarks.
bool memory_is_short();
/// Returns what it was before.
bool set_memory_short(bool now);

/// Calls fn(zone&) for each of malloc's zones that there is.
template <typename Fn>
void for_each_malloc_zone(Fn fn)
{
    for (unsigned node = 0; node < nr_nodes(); ++node) {
        if (zone* z = zone_at(zone_number(node, zone_type::normal)))
            fn(*z);
    }
}

/// Memory from attempt(zone&), of malloc's zone on the node; if memory is short, of the others' by
/// distance.  nullptr: a zone has to grow.
template <typename Attempt>
char* alloc_near(unsigned node, Attempt attempt)
{
    char* start = attempt(zone_of_node(node));
    if (start != nullptr || nr_nodes() == 1 || !memory_is_short()) [[likely]]
        return start;
    for (unsigned i = 1; start == nullptr && i < nr_nodes(); ++i) {
        if (zone* other = zone_at(zone_number(nodes_by_distance(node)[i], zone_type::normal)))
            start = attempt(*other);
    }
    return start;
}

/// Zones that memory may come from, the first first.
struct zonelist
{
    zone* zones[nr_zones_max];
    unsigned nr;
};

/// Zones that there are already; only those of `node` if `this_node`.
zonelist zonelist_of(unsigned node, zone_type highest, bool this_node);

} // namespace bsl
