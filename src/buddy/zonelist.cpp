#include "buddy/zonelist.hpp"

#include <atomic>

namespace bsl
{

namespace
{

constinit std::atomic<bool> is_short{false};

} // namespace

zone& make_zone_of_node(unsigned node)
{
    zone* of = make_zone(zone_number(node, zone_type::normal));
    return of == nullptr ? zone_normal : *of;
}

bool memory_is_short()
{
    return is_short.load(std::memory_order_relaxed);
}

bool set_memory_short(bool now)
{
    return is_short.exchange(now, std::memory_order_relaxed);
}

zonelist zonelist_of(unsigned node, zone_type highest, bool this_node)
{
    zonelist list{};
    const unsigned nr = this_node ? 1 : nr_nodes();
    for (unsigned i = 0; i < nr; ++i) {
        const unsigned at = nr_nodes() == 1 ? 0 : nodes_by_distance(node)[i];
        for (zone_type type : {zone_type::normal, zone_type::dma32}) {
            if (highest == zone_type::dma32 && type == zone_type::normal)
                continue;
            if (zone* z = zone_at(zone_number(at, type)))
                list.zones[list.nr++] = z;
        }
    }
    return list;
}

} // namespace bsl
