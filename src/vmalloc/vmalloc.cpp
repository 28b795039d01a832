#include "vmalloc/vmalloc.hpp"

#include "base/check.hpp"
#include "base/probe.hpp"
#include "config/params.hpp"
#include "host/clear.hpp"
#include "host/sysinfo.hpp"
#include "host/vm.hpp"
#include "vmalloc/adjacent.hpp"
#include "vmalloc/lending.hpp"
#include "vmalloc/window_lists.hpp"

#include <algorithm>

namespace bsl
{

constinit mutex moving_lock{lock_rank::moving};

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

/// A cached window is made larger with the frames of others if it holds one part in so many itself; less is better
/// given to a new one.
constexpr std::size_t own_part_min = 8;

/// An object that outgrows its place moves into a cached window that holds at most so many times as much.
constexpr std::size_t stale_part_max = 4;

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

// --- the ways to serve a request ---------------------------------------------------------------

/// Fills a busy window, of which [0, filled) and what is lent are resident, with frames of cached ones, if these are
/// enough.  False: it can only be destroyed.
bool fill(vm_area& area, std::size_t filled)
{
    filled = std::max(filled, area.lent_end);
    if (filled >= area.size)
        return true;
    const std::size_t resident = filled + counts_of_vmalloc().cached_bytes;
    if (resident >= least_resident(area.size, false) && !fill_from_cached(area, filled))
        return false;
    mutex_guard guard(vmalloc_lock);
    note_missing(area.size - filled);
    return true;
}

bool is_aligned(const vm_area& area, std::size_t alignment)
{
    return reinterpret_cast<std::uintptr_t>(area.start) % alignment == 0;
}

/// A cached window that fits.
void* from_cache(std::size_t size, std::size_t alignment, bool zeroed)
{
    vm_area* area = nullptr;
    {
        mutex_guard guard(vmalloc_lock);
        area = find_cached(size, size + size / slack_part,
                           [=](const vm_area& a) { return is_aligned(a, alignment); });
        if (area == nullptr)
            return nullptr;
        remove_cached(*area);
        insert_live(*area);
        ++window_counts.reused;
    }
    if (zeroed)
        host::clear(area->start, area->size);
    return area->start;
}

/// A smaller cached window, made larger; for those who do not ask for zeros with the frames of others.
void* from_smaller(std::size_t size, std::size_t alignment, bool zeroed)
{
    const bool may_move = alignment <= pageblock_size;
    const std::size_t elsewhere = std::min(lendable_bytes(), size);
    const std::size_t enough = std::max(least_resident(size, zeroed), elsewhere);
    vm_area* area = nullptr;
    {
        mutex_guard guard(vmalloc_lock);
        const bool has_others = !zeroed && window_counts.cached_bytes >= enough;
        const std::size_t least = has_others ? size / own_part_min : enough;
        area = find_cached(0, size, [=](const vm_area& a) {
            return (a.committed >= size && is_aligned(a, alignment)) ||
                   (may_move && a.size >= least);
        });
        if (area == nullptr)
            return nullptr;
        remove_cached(*area);
        ++window_counts.reused;
    }
    const std::size_t dirty = area->size;
    const bool grown = grow_vm_area(*area, size);
    if (grown && zeroed)
        host::clear(area->start, dirty);
    if (grown && !zeroed && !fill(*area, dirty)) {
        destroy_vm_area(*area);
        return nullptr;
    }
    mutex_guard guard(vmalloc_lock);
    if (!grown) {
        insert_cached(*area);
        return nullptr;
    }
    insert_live(*area);
    return area->start;
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
    ++window_counts.reused;
    return area.start;
}

void* publish_new(vm_area& area)
{
    if constexpr (check_level >= 3)
        validate(area);
    mutex_guard guard(vmalloc_lock);
    insert_live(area);
    ++window_counts.made;
    if (area.lent_end != 0)
        ++window_counts.stitched;
    BSL_PROBE3(window_new, area.start, area.size, area.lent_end);
    return area.start;
}

/// A new window, of which as much as possible is resident already.
vm_area* make_filled(const vm_area_request& request)
{
    vm_area* area = make_vm_area(request);
    if (area == nullptr && release_windows() != 0)
        area = make_vm_area(request);
    if (area == nullptr || !request.is_dense || fill(*area, 0))
        return area;
    destroy_vm_area(*area);
    return make_vm_area(request);
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
    vm_area* area = make_filled(request);
    if (area != nullptr) {
        if (zeroed)
            host::clear(area->start, area->lent_end);
        return publish_new(*area);
    }

    char* run = alloc_adjacent(size, alignment, zeroed);
    if (run != nullptr) {
        mutex_guard guard(vmalloc_lock);
        ++window_counts.in_place;
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
    if (area == nullptr && release_windows() != 0)
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
        keep = area.size <= window_bound();
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
        keep_window_bound();
    return keep && !was_object && !is_over ? vfree_result::kept : vfree_result::freed;
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
            note_growth(new_size - old_size);
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
               (release_windows() != 0 && grow_vm_area(area, new_size));
    if constexpr (check_level >= 3)
        validate(area);
    mutex_guard guard(vmalloc_lock);
    insert_live(area);
    if (area.start != old_start)
        ++window_counts.moved;
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

} // namespace bsl
