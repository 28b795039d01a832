#include "buddy/zone_table.hpp"

#include "arena/memblock.hpp"
#include "base/check.hpp"

#include <new>

namespace bsl
{

namespace
{

constinit zone_array zones = {&zone_normal};

} // namespace

constinit const zone_array* const zones_at = &zones;

zone* zone_at(std::uint8_t number)
{
    VM_BUG_ON(number >= nr_zones_max);
    return zones[number].load(std::memory_order_acquire);
}

zone* make_zone(std::uint8_t number)
{
    zone* found = zone_at(number);
    if (found != nullptr)
        return found;
    void* memory = memblock_alloc(sizeof(zone));
    if (memory == nullptr)
        return nullptr;
    zone* fresh = new (memory) zone(number);
    // Two threads may come here at once; the loser's zone is lost, some 1.5 KiB.
    if (zones[number].compare_exchange_strong(found, fresh, std::memory_order_acq_rel))
        return fresh;
    return found;
}

} // namespace bsl
