#include "heap/room.hpp"

#include "arena/arena.hpp"
#include "buddy/reclaim.hpp"
#include "buddy/zonelist.hpp"
#include "heap/registry.hpp"
#include "heap/shrinkers.hpp"
#include "vmalloc/vmalloc.hpp"

namespace bsl::heap
{

namespace
{

bool grow_here()
{
    const unsigned node = current_node();
    if (!grow_arenas(1, zone_of_node(node).number(), node))
        return false;
    if (nr_nodes() != 1)
        set_memory_short(false);
    return true;
}

/// Other nodes' pages serve from now on; false if they did already, or there is one node.
bool fall_back()
{
    return nr_nodes() != 1 && !set_memory_short(true);
}

std::size_t nr_free_pages()
{
    std::size_t sum = 0;
    for_each_malloc_zone([&sum](zone& z) { sum += z.counts().nr_free; });
    return sum;
}

} // namespace

bool make_room()
{
    if (drain_orphans() || grow_here() || fall_back())
        return true;
    const std::size_t before = nr_free_pages();
    drain_all_threads();
    release_windows(0);
    if (grow_here() || nr_free_pages() > before)
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
        return nr_nodes() == 1 ? balance(zone_normal) : for_each_malloc_zone(balance);
    if (!age(zone_normal))
        return;
    age_windows();
    set_memory_short(false); // perhaps there is some again
    for_each_zone([](zone& z) {
        if (z.number() == malloc_zone || type_of_zone(z.number()) == zone_type::movable)
            return;
        if (type_of_zone(z.number()) == zone_type::normal)
            end_interval(z);
        else
            age_other(z);
    });
}

} // namespace bsl::heap
