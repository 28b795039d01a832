#include "vmalloc/vmalloc.hpp"

#include "base/check.hpp"
#include "base/probe.hpp"
#include "buddy/zone_table.hpp"
#include "config/params.hpp"
#include "host/sysinfo.hpp"
#include "host/vm.hpp"
#include "vmalloc/adjacent.hpp"
#include "vmalloc/lending.hpp"

#include <cstring>

namespace bsl
{

constinit std::atomic<std::size_t> windows_stay_up_to{SIZE_MAX};

constinit mutex vmalloc_lock{lock_rank::vmalloc};
constinit mutex moving_lock{lock_rank::moving};
constinit list_head live_windows;

namespace
{

/// No request above this can succeed: half of the user's addresses.
constexpr std::size_t window_size_max = std::size_t{1} << (address_bits - 1);

/// A window may be larger than asked by one part in so many: a cached one that serves a request, a
/// live one that was made smaller.
constexpr std::size_t slack_part = 8;

/// Frames that are resident already are worth the trouble if they are one part in so many.  Those who
/// ask for zeros often touch little: clearing 1 MiB costs 75 µs, faulting it in 800 µs, but only if it
/// is touched.
constexpr std::size_t resident_part_min = 4;
constexpr std::size_t resident_part_min_zeroed = 2;

/// The cache gives way once the heap has grown by this part of it.
constexpr std::size_t growth_part = 2;

/// An object that outgrows its place moves into a cached window that holds at most so many times as much.
constexpr std::size_t stale_part_max = 4;

/// Bounds the search, whatever small sizes windows were shrunk to.
constexpr std::size_t cached_windows_max = 64;

/// The front was freed last.
constinit list_head cached_windows BSL_TSA(guarded_by(vmalloc_lock));
constinit vmalloc_counts counts BSL_TSA(guarded_by(vmalloc_lock)){};

vm_area* area_of(list_head* node)
{
    return list_entry<vm_area, &vm_area::link>(node);
}

/// How much of a request resident frames must cover.
std::size_t least_resident(std::size_t size, bool zeroed)
{
    return size / (zeroed ? resident_part_min_zeroed : resident_part_min);
}

/// vmalloc_lock for a scope, at a moment at which nobody moves frames under this window.
class BSL_TSA(scoped_lockable) settled_guard
{
public:
    explicit settled_guard(const vm_area& area) BSL_TSA(acquire_capability(vmalloc_lock))
    {
        vmalloc_lock.lock();
        while (area.state == vm_area_state::moving) {
            vmalloc_lock.unlock();
            moving_lock.lock();
            moving_lock.unlock();
            vmalloc_lock.lock();
        }
    }
    ~settled_guard() BSL_TSA(release_capability()) { vmalloc_lock.unlock(); }
    settled_guard(const settled_guard&) = delete;
    settled_guard& operator=(const settled_guard&) = delete;
};

// --- lists, lock held --------------------------------------------------------------------------

void note_peak() BSL_TSA(requires_capability(vmalloc_lock))
{
    const std::size_t bytes = counts.live_bytes + counts.cached_bytes;
    if (counts.live_bytes > counts.peak_live_bytes)
        counts.peak_live_bytes = counts.live_bytes;
    if (bytes > counts.peak_bytes)
        counts.peak_bytes = bytes;
}

void insert_live(vm_area& area) BSL_TSA(requires_capability(vmalloc_lock))
{
    area.state = vm_area_state::live;
    live_windows.insert_front(area.link);
    ++counts.live;
    counts.live_bytes += area.size;
    counts.vmas += nr_vmas(area);
    note_peak();
}

void remove_live(vm_area& area) BSL_TSA(requires_capability(vmalloc_lock))
{
    area.state = vm_area_state::busy;
    list_head::remove(area.link);
    --counts.live;
    counts.live_bytes -= area.size;
    counts.vmas -= nr_vmas(area);
}

/// The cache has been of use, or has changed.
void note_cached() BSL_TSA(requires_capability(vmalloc_lock))
{
    const std::size_t growth = counts.cached_bytes / growth_part >> page_shift;
    const std::size_t most = zone_normal.counts().nr_used() + growth;
    windows_stay_up_to.store(counts.cached == 0 ? SIZE_MAX : most, std::memory_order_relaxed);
}

void insert_cached(vm_area& area) BSL_TSA(requires_capability(vmalloc_lock))
{
    area.state = vm_area_state::cached;
    area.size = area.stale_end > area.size ? area.stale_end : area.size;
    area.stale_end = 0;
    cached_windows.insert_front(area.link);
    ++counts.cached;
    counts.cached_bytes += area.size;
    counts.vmas += nr_vmas(area);
    note_cached();
}

void remove_cached(vm_area& area) BSL_TSA(requires_capability(vmalloc_lock))
{
    area.state = vm_area_state::busy;
    list_head::remove(area.link);
    --counts.cached;
    counts.cached_bytes -= area.size;
    counts.vmas -= nr_vmas(area);
    note_cached();
}

/// Into the cache, if it may stay there.  Is there too much in it now?
bool put_away(vm_area& area, bool keep) BSL_TSA(requires_capability(vmalloc_lock))
{
    if (keep) {
        insert_cached(area);
    } else {
        counts.returned_bytes += area.size > area.lent_end ? area.size - area.lent_end : 0;
        ++counts.returned_calls;
    }
    return counts.cached_bytes > param.window_cache || counts.cached > cached_windows_max;
}

/// The largest cached window whose resident part is between the bounds and that `accept`s.
template <typename Accept>
vm_area* find_cached(std::size_t at_least, std::size_t at_most, Accept accept)
    BSL_TSA(requires_capability(vmalloc_lock))
{
    vm_area* best = nullptr;
    list_head* node = cached_windows.front();
    for (; node != nullptr && node != &cached_windows; node = node->next) {
        vm_area* area = area_of(node);
        if (area->size >= at_least && area->size <= at_most && accept(*area) &&
            (best == nullptr || area->size > best->size))
            best = area;
    }
    return best;
}

// --- the ways to serve a request ---------------------------------------------------------------

void* from_cache(std::size_t size, std::size_t alignment, bool zeroed)
{
    vm_area* area = nullptr;
    std::size_t dirty = 0;
    {
        mutex_guard guard(vmalloc_lock);
        area = find_cached(0, size + size / slack_part, [=](const vm_area& a) {
            return a.committed >= size &&
                   reinterpret_cast<std::uintptr_t>(a.start) % alignment == 0;
        });
        if (area == nullptr)
            return nullptr;
        remove_cached(*area);
        dirty = area->size;
        area->size = size > dirty ? size : dirty; // what lies behind must read as zeros
        insert_live(*area);
        ++counts.reused;
    }
    if (zeroed)
        std::memset(area->start, 0, dirty);
    return area->start;
}

/// A smaller cached window, made larger: better than fresh memory as far as its frames reach.
void* from_smaller(std::size_t size, std::size_t alignment, bool zeroed)
{
    if (alignment > pageblock_size)
        return nullptr; // it may move
    const std::size_t lendable = lendable_bytes();
    const std::size_t elsewhere = lendable < size ? lendable : size;
    const std::size_t enough = least_resident(size, zeroed);
    vm_area* area = nullptr;
    {
        mutex_guard guard(vmalloc_lock);
        area = find_cached(enough > elsewhere ? enough : elsewhere, size,
                           [](const vm_area&) { return true; });
        if (area == nullptr)
            return nullptr;
        remove_cached(*area);
    }
    const std::size_t dirty = area->size;
    const bool grown = grow_vm_area(*area, size);
    if (grown && zeroed)
        std::memset(area->start, 0, dirty);
    mutex_guard guard(vmalloc_lock);
    if (!grown) {
        insert_cached(*area);
        return nullptr;
    }
    insert_live(*area);
    ++counts.reused;
    return area->start;
}

std::size_t vmas_left()
{
    const std::size_t vmas = counts_of_vmalloc().vmas;
    return vmas < vma_budget ? vma_budget - vmas : 0;
}

/// How many blocks may be lent to a new window; 0: not worth it.
std::size_t blocks_to_lend(std::size_t size, bool zeroed)
{
    return lendable_bytes() < least_resident(size, zeroed) ? 0 : vmas_left();
}

/// A cached window for an object that grows to `size` bytes.  What it holds behind them stays: for what is to come.
vm_area* take_for_run(std::size_t size)
{
    vm_area* area = nullptr;
    {
        mutex_guard guard(vmalloc_lock);
        area = find_cached(0, stale_part_max * size, [=](const vm_area& a) {
            return a.lent_end == 0 && a.size <= kmalloc_size_max && a.reserved >= size;
        });
        if (area != nullptr)
            remove_cached(*area);
    }
    if (area == nullptr || area->committed >= size || grow_vm_area(*area, size))
        return area;
    mutex_guard guard(vmalloc_lock);
    insert_cached(*area);
    return nullptr;
}

void* publish_again(vm_area& area)
{
    mutex_guard guard(vmalloc_lock);
    insert_live(area);
    ++counts.reused;
    return area.start;
}

void* publish_new(vm_area& area)
{
    if constexpr (check_level >= 3)
        validate(area);
    mutex_guard guard(vmalloc_lock);
    insert_live(area);
    ++counts.made;
    if (area.lent_end != 0)
        ++counts.stitched;
    BSL_PROBE3(window_new, area.start, area.size, area.lent_end);
    return area.start;
}

} // namespace

void* vmalloc(std::size_t size, std::size_t alignment, bool zeroed)
{
    VM_BUG_ON(!lockdep::holds_nothing());
    if (size > window_size_max || alignment > window_size_max)
        return nullptr;
    size = round_up(size == 0 ? 1 : size, host::page_size());
    if (void* p = from_cache(size, alignment, zeroed))
        return p;
    if (void* p = from_smaller(size, alignment, zeroed))
        return p;
    vm_area_request request{};
    request.size = size;
    request.alignment = alignment > pageblock_size ? alignment : pageblock_size;
    request.max_blocks = blocks_to_lend(size, zeroed);
    request.is_dense = !zeroed;
    vm_area* area = make_vm_area(request);
    if (area == nullptr && release_windows(0) != 0)
        area = make_vm_area(request);
    if (area != nullptr) {
        if (zeroed)
            std::memset(area->start, 0, area->lent_end);
        return publish_new(*area);
    }

    char* run = alloc_adjacent(size, alignment, zeroed);
    if (run != nullptr) {
        mutex_guard guard(vmalloc_lock);
        ++counts.in_place;
    }
    return run;
}

void* vmalloc_from_run(char* run, std::size_t old_size, std::size_t new_size)
{
    VM_BUG_ON(!lockdep::holds_nothing());
    if (new_size > window_size_max || vmas_left() == 0)
        return nullptr;
    if (new_size <= kmalloc_size_max && host::is_memory_limited())
        return nullptr; // it would take a multiple of its size
    new_size = round_up(new_size, host::page_size());
    vm_area* area = take_for_run(new_size);
    if (area != nullptr && refill_vm_area_from(*area, run, old_size, new_size))
        return publish_again(*area);
    area = make_vm_area_from(run, old_size, new_size);
    if (area == nullptr && release_windows(0) != 0)
        area = make_vm_area_from(run, old_size, new_size);
    return area == nullptr ? nullptr : publish_new(*area);
}

vfree_result vfree_check(const vm_area& area, const void* p)
{
    settled_guard guard(area);
    if (area.state != vm_area_state::live)
        return vfree_result::already_free;
    return p == area.start ? vfree_result::freed : vfree_result::not_start;
}

vfree_result vfree(vm_area& area, void* p)
{
    VM_BUG_ON(!lockdep::holds_nothing());
    bool keep = false;
    bool is_over = false;
    bool was_object = false; // of the zone; its frames are of more use there
    {
        settled_guard guard(area);
        if (area.state != vm_area_state::live)
            return vfree_result::already_free;
        if (p != area.start)
            return vfree_result::not_start;
        remove_live(area);
        keep = area.size <= param.window_cache;
        was_object = area.run != nullptr && area.size <= kmalloc_size_max;
        if (!was_object)
            is_over = put_away(area, keep);
    }
    if (was_object) {
        keep = keep && empty_run(area);
        mutex_guard guard(vmalloc_lock);
        is_over = put_away(area, keep);
    }
    BSL_PROBE2(window_free, p, keep);
    if (!keep)
        destroy_vm_area(area);
    if (is_over)
        release_windows(param.window_cache);
    return vfree_result::freed;
}

namespace
{

/// To whole pages; nullptr: refused, the window is as it was.
void* resize(vm_area& area, std::size_t new_size)
{
    const std::size_t old_size = area.size;
    {
        settled_guard guard(area);
        VM_BUG_ON(area.state != vm_area_state::live);
        if (new_size > old_size && new_size <= area.committed) {
            area.size = new_size;
            counts.live_bytes += new_size - old_size;
            note_peak();
            return area.start;
        }
        remove_live(area);
    }
    char* const old_start = area.start;
    bool done = true;
    if (new_size < old_size)
        shrink_vm_area(area, new_size);
    else
        done = grow_vm_area(area, new_size) ||
               (release_windows(0) != 0 && grow_vm_area(area, new_size));
    if constexpr (check_level >= 3)
        validate(area);
    mutex_guard guard(vmalloc_lock);
    insert_live(area);
    if (area.start != old_start)
        ++counts.moved;
    return done ? area.start : nullptr;
}

} // namespace

void* vrealloc(vm_area& area, std::size_t new_size)
{
    VM_BUG_ON(!lockdep::holds_nothing());
    if (new_size > window_size_max)
        return nullptr;
    new_size = round_up(new_size == 0 ? 1 : new_size, host::page_size());
    if (new_size <= area.size && area.size - new_size <= area.size / slack_part)
        return area.start;
    return resize(area, new_size);
}

bool vshrink(vm_area& area, std::size_t size)
{
    VM_BUG_ON(!lockdep::holds_nothing());
    if (size < area.size)
        resize(area, size);
    return area.size <= size;
}

void age_windows()
{
    static constinit std::size_t reused_before BSL_TSA(guarded_by(vmalloc_lock)) = 0;
    {
        mutex_guard guard(vmalloc_lock);
        const bool was_useful = counts.reused != reused_before;
        reused_before = counts.reused;
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
            if (counts.cached == 0 ||
                (counts.cached_bytes <= keep_bytes && counts.cached <= cached_windows_max))
                return released;
            area = area_of(cached_windows.prev);
            remove_cached(*area);
            counts.returned_bytes += area->size > area->lent_end ? area->size - area->lent_end : 0;
            ++counts.returned_calls;
        }
        released += area->size;
        destroy_vm_area(*area);
    }
}

vmalloc_counts counts_of_vmalloc()
{
    mutex_guard guard(vmalloc_lock);
    return counts;
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

constinit const vmalloc_counts* const vmalloc_counts_at = &counts;

} // namespace bsl
