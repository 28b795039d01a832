#include "heap/room.hpp"

#include "arena/arena.hpp"
#include "buddy/reclaim.hpp"
#include "buddy/watermark.hpp"
#include "buddy/zonelist.hpp"
#include "heap/registry.hpp"
#include "heap/shrinkers.hpp"
#include "slab/holes.hpp"
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
    set_memory_short(false);
    return true;
}

/// Other nodes' pages serve from now on, and for slabs single ones; false if they did already.
bool fall_back()
{
    return !set_memory_short(true);
}

std::size_t nr_free_pages()
{
    std::size_t sum = 0;
    for_each_malloc_zone([&sum](zone& z) { sum += z.counts().nr_free; });
    return sum;
}

/// Is any of malloc's zones?
bool is_any_below(std::size_t watermarks::*mark)
{
    bool is_any = false;
    for_each_malloc_zone([&](zone& z) { is_any |= is_below(z, mark); });
    return is_any;
}

/// Asks the shrinkers for more and more as long as it is needed; did they free anything?
template <typename Needed>
bool shrink_while(Needed is_needed)
{
    constexpr unsigned first_priority = 12; // DEF_PRIORITY in the kernel
    std::size_t freed = 0;
    for (unsigned priority = first_priority + 1; priority-- != 0 && is_needed();) {
        const std::size_t n = run_shrinkers(priority);
        if (n != 0)
            drain_all_threads(); // what they freed becomes pages, for whatever size is wanted
        freed += n;
    }
    return freed != 0;
}

/// The same, and for all that they have where nothing else helps.
template <typename Needed>
bool shrink(Needed is_needed)
{
    if (shrink_while(is_needed))
        return true;
    if (run_shrinkers() == 0)
        return false;
    drain_all_threads();
    return true;
}

/// All that is left to do in the end.  is_more: what threads and windows kept has already become free pages.
template <typename Needed>
room free_more(bool is_more, Needed is_needed)
{
    if (is_more)
        shrink_while(is_needed);
    return is_more || shrink(is_needed) ? room::freed : room::none;
}

/// What threads left that have ended becomes free pages, if it is any.
bool take_back_orphans()
{
    const std::size_t before = nr_free_pages();
    drain_orphans();
    return nr_free_pages() > before;
}

/// What threads and windows keep becomes free pages; is there more than before?
bool take_back_caches()
{
    const std::size_t before = nr_free_pages();
    drain_all_threads();
    release_windows();
    return nr_free_pages() > before;
}

/// Was it, since the last interval of ageing?
constinit std::atomic<bool> reclaim_is_vain{false};

/// The system has refused memory: reclaims before a request fails.
void keep_above_low()
{
    if (!is_any_below(&watermarks::low) || reclaim_is_vain.load(std::memory_order_relaxed) ||
        shrinkers_run())
        return;
    take_back_caches();
    shrink_while([] { return is_any_below(&watermarks::high); });
    if (is_any_below(&watermarks::low))
        reclaim_is_vain.store(true, std::memory_order_relaxed);
}

/// What a thread gives back to slabs between two looks at their holes.
std::size_t next_look_at_holes()
{
    const std::size_t share = bound_now(zone_normal, false) / look_at_holes_part;
    return share > look_at_holes_after ? share : look_at_holes_after;
}

/// The heap has grown: objects of classes that nobody asks for give way before it grows further.
void let_sheaves_give_way(thread_heap* mine)
{
    static constinit std::atomic<std::size_t> stays_up_to{0};
    if (mine == nullptr)
        return;
    const std::size_t used = zone_normal.counts().nr_used_peak;
    if (mine->has_seen_growth(used)) [[unlikely]]
        mine->give_up_idle();
    std::size_t most = stays_up_to.load(std::memory_order_relaxed);
    if (used > most && stays_up_to.compare_exchange_strong(most, stays_until(used))) [[unlikely]]
        mine->drain_idle_barns();
}

/// What has to do with time: once in so many slow paths of a thread.
void look_at_clock()
{
    constexpr unsigned slow_paths_per_look = 64;
    if (++this_thread.slow_paths % slow_paths_per_look != 0) [[likely]]
        return;
    if (!age(zone_normal))
        return;
    age_windows();
    drain_orphans();
    set_memory_short(false); // perhaps there is some again
    reclaim_is_vain.store(false, std::memory_order_relaxed);
    for_each_zone([](zone& z) {
        if (z.number() == malloc_zone || type_of_zone(z.number()) == zone_type::movable)
            return;
        if (type_of_zone(z.number()) == zone_type::normal)
            end_interval(z);
        else
            age_other(z);
    });
}

} // namespace

room make_room(unsigned vain)
{
    if (vain == 0 && take_back_orphans())
        return room::freed;
    if (grow_here())
        return room::grown;
    if (fall_back())
        return room::freed;
    const bool is_more = take_back_caches();
    if (grow_here())
        return room::grown;
    return free_more(is_more, [] { return is_any_below(&watermarks::high); });
}

room make_room_in(zone& of)
{
    const bool is_more = type_of_zone(of.number()) == zone_type::normal && take_back_caches();
    return free_more(is_more, [&of] { return is_below(of, &watermarks::high); });
}

void keep_balance_after_alloc(thread_heap* mine, bool has_moved)
{
    look_at_clock();
    if (!has_moved)
        return;
    if (memory_is_short()) [[unlikely]]
        keep_above_low();
    let_windows_give_way();
    let_sheaves_give_way(mine);
}

void keep_balance_after_free(thread_heap* mine, bool has_moved)
{
    look_at_clock();
    if (!has_moved)
        return;
    if (mine != nullptr && mine->has_flushed(next_look_at_holes())) [[unlikely]]
        balance_holes();
    if (memory_is_short()) [[unlikely]]
        keep_above_low();
    if (nr_nodes() == 1) [[likely]]
        balance(zone_normal);
    else
        for_each_malloc_zone(balance);
}

} // namespace bsl::heap
