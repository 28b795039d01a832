#include "vmalloc/window_lists.hpp"

#include "base/check.hpp"
#include "buddy/zone_table.hpp"
#include "config/params.hpp"

#include <algorithm>

namespace bsl
{

constinit mutex vmalloc_lock{lock_rank::vmalloc};
constinit list_head live_windows;
constinit list_head cached_windows;
constinit vmalloc_counts window_counts{};
constinit std::atomic<std::size_t> windows_stay_up_to{SIZE_MAX};

namespace
{

/// What has been learnt of windows that left the cache for its bound.
struct eviction_regret
{
    std::size_t extra; ///< bytes that the bound is raised by
    std::size_t given; ///< bytes evicted since the interval began, and not faulted in again
    bool was_used;     ///< has the bound been reached since the interval began?
};
constinit eviction_regret evictions BSL_TSA(guarded_by(vmalloc_lock)){};

/// Bounds the search, whatever small sizes windows were shrunk to.
constexpr std::size_t cached_windows_max = 64;

/// The cache gives way once the heap has grown by this part of it.
constexpr std::size_t growth_part = 2;

vm_area* area_of(list_head* node)
{
    return list_entry<vm_area, &vm_area::link>(node);
}

void note_peak() BSL_TSA(requires_capability(vmalloc_lock))
{
    const std::size_t bytes = window_counts.live_bytes + window_counts.cached_bytes;
    if (window_counts.live_bytes > window_counts.peak_live_bytes)
        window_counts.peak_live_bytes = window_counts.live_bytes;
    if (bytes > window_counts.peak_bytes)
        window_counts.peak_bytes = bytes;
}

/// The cache has been of use, or has changed.
void note_use() BSL_TSA(requires_capability(vmalloc_lock))
{
    const std::size_t growth = window_counts.cached_bytes / growth_part >> page_shift;
    const std::size_t most = zone_normal.counts().nr_used() + growth;
    windows_stay_up_to.store(window_counts.cached == 0 ? SIZE_MAX : most,
                             std::memory_order_relaxed);
}

/// The window is in the cache now.
void note_cached(vm_area& area) BSL_TSA(requires_capability(vmalloc_lock))
{
    area.state = vm_area_state::cached;
    ++window_counts.cached;
    window_counts.cached_bytes += area.size;
    window_counts.vmas += nr_vmas(area);
    note_use();
}

/// The bound, whatever is learnt.
std::size_t highest_bound() BSL_TSA(requires_capability(vmalloc_lock))
{
    const std::size_t extra = window_counts.peak_live_bytes / large_part;
    const std::size_t base = param.window_cache;
    return base == 0 ? 0 : base > SIZE_MAX - extra ? SIZE_MAX : base + extra; // 0: keep nothing
}

/// For the bound it leaves the cache, or never was in it.
void note_evicted(const vm_area& area) BSL_TSA(requires_capability(vmalloc_lock))
{
    if (area.size <= highest_bound()) // nothing that can be learnt would keep a larger one
        evictions.given += area.size;
    evictions.was_used = true;
}

/// It leaves the cache, or never was in it.
void note_returned(const vm_area& area) BSL_TSA(requires_capability(vmalloc_lock))
{
    window_counts.returned_bytes += area.size > area.lent_end ? area.size - area.lent_end : 0;
    ++window_counts.returned_calls;
}

/// The oldest cached window with frames that can be moved elsewhere, for the caller alone.
vm_area* take_oldest_with_frames()
{
    mutex_guard guard(vmalloc_lock);
    list_head* node = cached_windows.is_empty() ? &cached_windows : cached_windows.prev;
    for (; node != &cached_windows; node = node->prev) {
        vm_area* area = area_of(node);
        if (area->size <= area->lent_end || area->is_divided)
            continue;
        remove_cached(*area);
        return area;
    }
    return nullptr;
}

/// The oldest one, for the caller alone, if too many are cached or more than `keep_bytes`.
vm_area* take_surplus(std::size_t keep_bytes) BSL_TSA(requires_capability(vmalloc_lock))
{
    const bool is_within =
        window_counts.cached_bytes <= keep_bytes && window_counts.cached <= cached_windows_max;
    if (window_counts.cached == 0 || is_within)
        return nullptr;
    vm_area* area = area_of(cached_windows.prev);
    remove_cached(*area);
    note_returned(*area);
    return area;
}

/// An interval has ended: what was evicted in it was rightly so, and a bound that was not reached comes down.
void forget_evictions() BSL_TSA(requires_capability(vmalloc_lock))
{
    evictions.given = 0;
    if (!evictions.was_used)
        evictions.extra /= 2;
    evictions.was_used = false;
}

/// Back to where it was, if it holds anything.
void put_back(vm_area& area, bool was_of_use)
{
    {
        mutex_guard guard(vmalloc_lock);
        window_counts.reused += was_of_use;
        if (area.size != 0) {
            cached_windows.insert_back(area.link);
            note_cached(area);
            return;
        }
    }
    destroy_vm_area(area);
}

} // namespace

std::size_t vmas_left()
{
    mutex_guard guard(vmalloc_lock);
    return window_counts.vmas < vma_budget ? vma_budget - window_counts.vmas : 0;
}

void insert_live(vm_area& area)
{
    area.state = vm_area_state::live;
    live_windows.insert_front(area.link);
    ++window_counts.live;
    window_counts.live_bytes += area.size;
    window_counts.vmas += nr_vmas(area);
    note_peak();
}

void remove_live(vm_area& area)
{
    area.state = vm_area_state::busy;
    list_head::remove(area.link);
    --window_counts.live;
    window_counts.live_bytes -= area.size;
    window_counts.vmas -= nr_vmas(area);
}

void note_growth(std::size_t bytes)
{
    window_counts.live_bytes += bytes;
    note_peak();
}

void insert_cached(vm_area& area)
{
    area.size = area.stale_end > area.size ? area.stale_end : area.size;
    area.stale_end = 0;
    cached_windows.insert_front(area.link);
    note_cached(area);
}

void remove_cached(vm_area& area)
{
    area.state = vm_area_state::busy;
    list_head::remove(area.link);
    --window_counts.cached;
    window_counts.cached_bytes -= area.size;
    window_counts.vmas -= nr_vmas(area);
    note_use();
}

std::size_t window_bound()
{
    const std::size_t highest = highest_bound();
    return highest - param.window_cache <= evictions.extra ? highest
                                                           : param.window_cache + evictions.extra;
}

bool put_away(vm_area& area, bool keep)
{
    if (keep) {
        insert_cached(area);
    } else {
        note_evicted(area);
        note_returned(area);
    }
    return window_counts.cached_bytes > window_bound() || window_counts.cached > cached_windows_max;
}

void note_missing(std::size_t bytes)
{
    const std::size_t again = std::min(bytes, evictions.given);
    evictions.given -= again;
    evictions.extra = std::min(evictions.extra + again, highest_bound() - param.window_cache);
}

bool fill_from_cached(vm_area& area, std::size_t& filled)
{
    VM_BUG_ON(!lockdep::holds_nothing());
    bool is_whole = true; // the window is
    bool go_on = true;
    while (go_on && can_take_frames(area, filled) && vmas_left() != 0) {
        vm_area* source = take_oldest_with_frames();
        if (source == nullptr)
            break;
        const std::size_t had = source->size;
        is_whole = take_frames(area, filled, *source);
        const bool was_of_use = source->size < had;
        go_on = is_whole && (was_of_use || source->is_divided);
        put_back(*source, was_of_use);
    }
    return is_whole;
}

void age_windows()
{
    static constinit std::size_t reused_before BSL_TSA(guarded_by(vmalloc_lock)) = 0;
    {
        mutex_guard guard(vmalloc_lock);
        const bool was_useful = window_counts.reused != reused_before;
        reused_before = window_counts.reused;
        forget_evictions();
        if (was_useful)
            return;
    }
    release_windows();
}

std::size_t release_windows()
{
    VM_BUG_ON(!lockdep::holds_nothing());
    std::size_t released = 0;
    for (;;) {
        vm_area* area = nullptr;
        {
            mutex_guard guard(vmalloc_lock);
            area = take_surplus(0);
        }
        if (area == nullptr)
            return released;
        released += area->size;
        destroy_vm_area(*area);
    }
}

void keep_window_bound()
{
    VM_BUG_ON(!lockdep::holds_nothing());
    for (;;) {
        vm_area* area = nullptr;
        {
            mutex_guard guard(vmalloc_lock);
            area = take_surplus(window_bound());
            if (area != nullptr)
                note_evicted(*area);
        }
        if (area == nullptr)
            return;
        destroy_vm_area(*area);
    }
}

vmalloc_counts counts_of_vmalloc()
{
    mutex_guard guard(vmalloc_lock);
    return window_counts;
}

void for_each_window(void (*fn)(void* argument, const vm_area& area), void* argument)
{
    mutex_guard guard(vmalloc_lock);
    for (list_head* list : {&live_windows, &cached_windows}) {
        list_head* node = list->front();
        for (; node != nullptr && node != list; node = node->next)
            fn(argument, *area_of(node));
    }
}

void validate_windows()
{
    struct sums
    {
        std::size_t live, cached, live_bytes, cached_bytes, vmas;
    } found{};
    auto add = [](void* argument, const vm_area& area) {
        validate(area);
        auto& sum = *static_cast<sums*>(argument);
        const bool is_live = area.state == vm_area_state::live;
        VM_BUG_ON(!is_live && area.state != vm_area_state::cached);
        (is_live ? sum.live : sum.cached) += 1;
        (is_live ? sum.live_bytes : sum.cached_bytes) += area.size;
        sum.vmas += nr_vmas(area);
    };
    for_each_window(add, &found);
    [[maybe_unused]] const vmalloc_counts now = counts_of_vmalloc();
    VM_BUG_ON(found.live != now.live || found.cached != now.cached);
    VM_BUG_ON(found.live_bytes != now.live_bytes || found.cached_bytes != now.cached_bytes);
    VM_BUG_ON(found.vmas != now.vmas);
}

constinit const vmalloc_counts* const vmalloc_counts_at = &window_counts;

} // namespace bsl
