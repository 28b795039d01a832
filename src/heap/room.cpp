#include "heap/room.hpp"

#include "arena/arena.hpp"
#include "buddy/reclaim.hpp"
#include "buddy/zone_table.hpp"
#include "heap/registry.hpp"
#include "heap/shrinkers.hpp"
#include "vmalloc/vmalloc.hpp"

namespace bsl::heap
{

bool make_room()
{
    if (drain_orphans() || grow_arenas(1))
        return true;
    const std::size_t before = zone_normal.counts().nr_free;
    drain_all_threads();
    release_windows(0);
    if (grow_arenas(1) || zone_normal.counts().nr_free > before)
        return true;
    if (run_shrinkers() == 0)
        return false;
    drain_all_threads(); // what they freed becomes pages, for whatever size is wanted
    return true;
}

void keep_balance(thread_heap* mine)
{
    /// Slow paths between two looks at the clock.
    constexpr unsigned slow_paths_per_look = 64;
    if (mine != nullptr && mine->has_flushed_much()) [[unlikely]]
        balance_holes();
    if (++this_thread.slow_paths % slow_paths_per_look != 0) [[likely]]
        return balance(zone_normal);
    if (!age(zone_normal))
        return;
    age_windows();
    for_each_zone([](zone& z) {
        if (z.number() != malloc_zone && type_of_zone(z.number()) != zone_type::movable)
            age_other(z);
    });
}

} // namespace bsl::heap
