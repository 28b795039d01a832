#include "vmalloc/window_lists.hpp"

#include "base/check.hpp"
#include "buddy/zone_table.hpp"
#include "config/params.hpp"

namespace bsl
{

constinit mutex vmalloc_lock{lock_rank::vmalloc};
constinit list_head live_windows;
constinit list_head cached_windows;
constinit vmalloc_counts window_counts{};
constinit std::atomic<std::size_t> windows_stay_up_to{SIZE_MAX};

namespace
{

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

bool put_away(vm_area& area, bool keep)
{
    if (keep) {
        insert_cached(area);
    } else {
        note_returned(area);
    }
    return window_counts.cached_bytes > param.window_cache ||
           window_counts.cached > cached_windows_max;
}

bool fill_from_cached(vm_area& area, std::size_t filled)
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
        if (was_useful)
            return;
    }
    release_windows(0);
}

std::size_t release_windows(std::size_t keep_bytes)
{
    VM_BUG_ON(!lockdep::holds_nothing());
    std::size_t released = 0;
    for (;;) {
        vm_area* area = nullptr;
        {
            mutex_guard guard(vmalloc_lock);
            if (window_counts.cached == 0 || (window_counts.cached_bytes <= keep_bytes &&
                                              window_counts.cached <= cached_windows_max))
                return released;
            area = area_of(cached_windows.prev);
            remove_cached(*area);
            note_returned(*area);
        }
        released += area->size;
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
