/*
 * Making, growing and taking down one window.
 *
 * Growing, cheapest first:
 *
 *     size -> committed    nothing to do
 *     committed -> reserved    one mprotect, for twice as much as is writable already: memory that is
 *                              not touched costs nothing
 *     beyond reserved          a new reservation of twice the size; the page tables of all pieces are
 *                              moved there, and the rest of the new size is committed behind them
 *
 * so that growing to n bytes in small steps takes O(log n) system calls and copies nothing.
 *
 * While pieces move one by one, the old addresses stay mapped (MREMAP_DONTUNMAP): nobody else can get
 * them, and if a piece refuses to move, the others go back.  A window of one piece needs no such care.
 */
#include "vmalloc/vm_area.hpp"

#include "arena/arena.hpp"
#include "arena/huge_pages.hpp"
#include "arena/mem_section.hpp"
#include "arena/naming.hpp"
#include "base/check.hpp"
#include "config/params.hpp"
#include "host/sysinfo.hpp"
#include "host/vm.hpp"
#include "slab/kmem_cache.hpp"
#include "vmalloc/lending.hpp"
#include "vmalloc/window_lists.hpp"

#include <cstring>
#include <new>

namespace bsl
{

static_assert(sizeof(vm_area) <= vm_area_size);

namespace
{

// --- descriptors -------------------------------------------------------------------------------

/// Descriptors without a window.  They are not given back to their cache: a program that frees a
/// window twice makes us look at one, and it must still be a descriptor then.
constinit list_head unused_descriptors BSL_TSA(guarded_by(vmalloc_lock));

vm_area* take_unused_descriptor()
{
    mutex_guard guard(vmalloc_lock);
    list_head* node = unused_descriptors.front();
    if (node == nullptr)
        return nullptr;
    list_head::remove(*node);
    auto* area = list_entry<vm_area, &vm_area::link>(node);
    *area = vm_area{};
    area->state = vm_area_state::busy;
    return area;
}

vm_area* new_descriptor()
{
    if (vm_area* area = take_unused_descriptor())
        return area;
    do {
        // Under a lock, so that a fork does not meet it half done.
        mutex_guard guard(vmalloc_lock);
        if (void* object = cache_for(own_cache::vm_area).alloc_one()) {
            auto* area = new (object) vm_area{};
            area->state = vm_area_state::busy;
            return area;
        }
    } while (grow_arenas(1));
    return nullptr;
}

void retire_descriptor(vm_area& area)
{
    mutex_guard guard(vmalloc_lock);
    area.state = vm_area_state::unused;
    unused_descriptors.insert_front(area.link);
}

// --- addresses ---------------------------------------------------------------------------------

/// Addresses to grow into, at most: their slots in the section table cost 2 KiB per GiB.
constexpr std::size_t room_max = 64 * gib;

std::size_t nr_slots(std::size_t bytes)
{
    return bytes >> pageblock_shift;
}

/// Reserves addresses for `size` bytes: as many again to grow into, where they cost nothing.
bool reserve_addresses(vm_area& area, std::size_t size, std::size_t alignment)
{
    const std::size_t least = round_up(size, pageblock_size);
    const std::size_t room = host::is_memory_limited() ? 0 : least < room_max ? least : room_max;
    for (std::size_t wanted : {least + room, least}) {
        area.start = static_cast<char*>(host::reserve_aligned(nullptr, wanted, alignment));
        area.reserved = wanted;
        if (area.start != nullptr) {
            name_mapping(area.start, wanted, name_of_windows);
            return true;
        }
    }
    return false;
}

/// Gives addresses back; where the kernel cannot split a VMA, at least the memory.
void unmap(char* start, std::size_t size)
{
    if (size != 0 && !host::unmap(start, size))
        host::discard(start, size);
}

/// Makes [committed, size) writable.
bool commit(vm_area& area, std::size_t size)
{
    if (size <= area.committed)
        return true;
    if (!host::commit(area.start + area.committed, size - area.committed))
        return false;
    area.committed = size;
    return true;
}

/// Sends frames home and unmaps the rest of a window that has no slots of the section table.
void take_apart(vm_area& area)
{
    return_blocks(area);
    unmap(area.start + area.lent_end, area.reserved - area.lent_end);
    retire_descriptor(area);
}

// --- pieces ------------------------------------------------------------------------------------

/// Less is not worth a VMA and a call: 64 page faults.
constexpr std::size_t least_piece = 256 * kib;

/// Calls fn(offset, size) for the pieces of [0, end) in order, until it returns false.
template <typename Fn>
bool for_each_piece(vm_area& area, std::size_t end, Fn fn)
{
    std::size_t offset = 0;
    bool go_on = true;
    auto piece = [&](std::size_t to) {
        to = to < end ? to : end;
        if (go_on && offset < to)
            go_on = fn(offset, to - offset);
        offset = to;
    };
    piece(area.run_size);
    list_for_each<page, &page::lru>(
        area.lent, [&](page& record) { piece(offset + (record.nr_run_pages << page_shift)); });
    for (unsigned i = 0; i < area.nr_seams; ++i)
        piece(area.seams[i]);
    piece(end);
    return go_on;
}

bool has_one_piece(const vm_area& area)
{
    return area.lent_end == 0 && area.nr_seams == 0;
}

/// Moves a piece back that has just come from there.
void bring_back(char* home, char* from, std::size_t size)
{
    if (host::move_frames(from, home, size))
        return;
    // The failed move may have unmapped the home.
    void* at = host::map(home, size);
    if (at == nullptr)
        panic("out of memory while a window was moved");
    if (at != home)
        host::unmap(at, size);
    std::memcpy(home, from, size);
}

/// Moves the pieces of [0, end) to `to`.  Returns how many bytes have been moved: all, or none and
/// the stretch of `to` that has been lost.
struct move_result
{
    bool moved;
    std::size_t lost_from;
    std::size_t lost_size;
};

move_result move_pieces(vm_area& area, char* to, std::size_t end)
{
    char* const from = area.start;
    if (has_one_piece(area))
        return {host::move_mapping(from, to, end), 0, end};
    move_result result{true, 0, 0};
    result.moved = for_each_piece(area, end, [&](std::size_t offset, std::size_t size) {
        result.lost_from = offset;
        result.lost_size = size;
        return host::move_frames(from + offset, to + offset, size);
    });
    if (!result.moved) {
        for_each_piece(area, result.lost_from, [&](std::size_t offset, std::size_t size) {
            bring_back(from + offset, to + offset, size);
            return true;
        });
    }
    return result;
}

/// Those in [first, last].
void remove_seams(vm_area& area, std::size_t first, std::size_t last)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < area.nr_seams; ++i) {
        if (area.seams[i] < first || area.seams[i] > last)
            area.seams[kept++] = area.seams[i];
    }
    area.nr_seams = kept;
}

/// Notes that what follows `end` is another VMA than what lies before.  There is room for it, and none is there.
void insert_seam(vm_area& area, std::size_t end)
{
    unsigned i = area.nr_seams++;
    for (; i != 0 && area.seams[i - 1] > end; --i)
        area.seams[i] = area.seams[i - 1];
    area.seams[i] = end;
}

/// Where the last piece of [0, size) begins; lent_end: no memory without a home lies below it.
std::size_t last_piece(const vm_area& area)
{
    std::size_t begin = area.lent_end;
    for (unsigned i = 0; i < area.nr_seams && area.seams[i] < area.size; ++i)
        begin = area.seams[i];
    return begin;
}

bool relocate(vm_area& area, std::size_t size)
{
    if (area.nr_seams == nr_seams_max || (!has_one_piece(area) && !can_lend()))
        return false;
    const std::size_t used = area.size > area.lent_end ? area.size : area.lent_end;
    vm_area next{};
    if (!reserve_addresses(next, size, pageblock_size))
        return false;
    // What grows like this is filled from its start on.
    area.wants_huge_pages = area.wants_huge_pages || size >= param.huge_windows_from;
    next.committed = used;
    if (!commit(next, size) || !set_owner(next.start, nr_slots(next.reserved), &area)) {
        unmap(next.start, next.reserved);
        return false;
    }
    const bool leaves_hole = has_one_piece(area);
    const move_result result = move_pieces(area, next.start, used);
    if (!result.moved) {
        clear_owner(next.start, nr_slots(next.reserved), &area);
        unmap(next.start, result.lost_from);
        const std::size_t behind = result.lost_from + result.lost_size;
        unmap(next.start + behind, next.reserved - behind);
        return false;
    }
    if (area.wants_huge_pages)
        open_window(next.start + used, size - used, next.reserved - used);
    // What a plain move has unmapped may be another thread's by now: it is not ours to unmap, or to disown.
    const std::size_t gone = leaves_hole ? used : 0;
    clear_owner(area.start, nr_slots(area.reserved), &area);
    unmap(area.start + gone, area.reserved - gone);
    area.start = next.start;
    area.reserved = next.reserved;
    area.committed = next.committed;
    area.size = size;
    area.stale_end = 0; // it was left behind
    remove_seams(area, used, SIZE_MAX);
    if (used > area.lent_end)
        insert_seam(area, used);
    return true;
}

} // namespace

vm_area* make_vm_area(const vm_area_request& request)
{
    vm_area* area = new_descriptor();
    if (area == nullptr)
        return nullptr;
    if (!reserve_addresses(*area, request.size, request.alignment)) {
        retire_descriptor(*area);
        return nullptr;
    }
    if (request.max_blocks != 0 && !lend_blocks(*area, request.size, request.max_blocks)) {
        take_apart(*area);
        vm_area_request fresh = request;
        fresh.max_blocks = 0;
        return make_vm_area(fresh);
    }
    area->committed = area->lent_end;
    if (!commit(*area, request.size) || !set_owner(area->start, nr_slots(area->reserved), area)) {
        take_apart(*area);
        return nullptr;
    }
    area->wants_huge_pages = request.is_dense && request.size >= param.huge_windows_from;
    if (area->wants_huge_pages)
        open_window(area->start + area->lent_end, request.size - area->lent_end,
                    area->reserved - area->lent_end);
    area->size = request.size;
    return area;
}

vm_area* make_vm_area_from(char* run, std::size_t old_size, std::size_t size)
{
    const std::size_t unit = host::page_size();
    if (!can_lend() || reinterpret_cast<std::uintptr_t>(run) % unit != 0 || old_size % unit != 0)
        return nullptr;
    vm_area* area = new_descriptor();
    if (area == nullptr)
        return nullptr;
    if (!reserve_addresses(*area, size, pageblock_size)) {
        retire_descriptor(*area);
        return nullptr;
    }
    area->committed = old_size;
    if (!commit(*area, size) || !set_owner(area->start, nr_slots(area->reserved), area)) {
        take_apart(*area);
        return nullptr;
    }
    return refill_vm_area_from(*area, run, old_size, size) ? area : nullptr;
}

bool refill_vm_area_from(vm_area& area, char* run, std::size_t old_size, std::size_t size)
{
    VM_BUG_ON(area.lent_end != 0 || area.committed < size);
    if (!move_to_window(run, area.start, old_size)) {
        clear_owner(area.start, nr_slots(area.reserved), &area);
        unmap(area.start + old_size, area.reserved - old_size);
        retire_descriptor(area);
        return false;
    }
    area.run = run;
    area.run_size = area.lent_end = old_size;
    area.stale_end = area.size;
    area.size = size;
    remove_seams(area, 0, old_size);
    return true;
}

bool empty_run(vm_area& area)
{
    if (area.nr_lent != 0 || area.nr_seams == nr_seams_max)
        return false;
    insert_seam(area, area.run_size); // the stretch stays a VMA of its own
    return_run(area);
    area.lent_end = 0;
    return true;
}

bool grow_vm_area(vm_area& area, std::size_t size)
{
    VM_BUG_ON(size < area.size);
    if (size > area.reserved)
        return relocate(area, size);
    if (size > area.committed) {
        const std::size_t twice =
            2 * area.committed < area.reserved ? 2 * area.committed : area.reserved;
        if (!commit(area, size > twice ? size : twice) && !commit(area, size))
            return false;
    }
    area.size = size;
    return true;
}

bool can_take_frames(const vm_area& area, std::size_t filled)
{
    return filled + least_piece <= area.size && area.nr_seams < nr_joined_max && can_lend();
}

bool take_frames(vm_area& to, std::size_t& filled, vm_area& from)
{
    const std::size_t begin = last_piece(from);
    const std::size_t most = from.size - begin;
    if (most < least_piece) {
        if (host::discard(from.start + begin, most))
            from.size = begin;
        return true;
    }
    const std::size_t size = most < to.size - filled ? most : to.size - filled;
    char* const tail = from.start + from.size - size;
    from.is_divided = !host::is_one_mapping(tail, size);
    if (from.is_divided)
        return true;
    if (!move_to_window(tail, to.start + filled, size)) {
        clear_owner(to.start, nr_slots(to.reserved), &to);
        cut_off(to, filled, size);
        return false;
    }
    from.size -= size;
    remove_seams(to, filled, filled + size);
    if (filled > to.lent_end)
        insert_seam(to, filled);
    filled += size;
    if (filled < to.committed)
        insert_seam(to, filled);
    return true;
}

void shrink_vm_area(vm_area& area, std::size_t size)
{
    const std::size_t used_end = area.stale_end > area.size ? area.stale_end : area.size;
    if (!host::discard(area.start + size, used_end - size))
        return; // locked in memory, for one
    area.size = size;
    area.stale_end = 0;

    const std::size_t used = size > area.lent_end ? size : area.lent_end;
    const std::size_t keep = round_up(2 * used, pageblock_size);
    if (area.reserved / 2 <= keep)
        return;
    char* const rest = area.start + keep;
    clear_owner(rest, nr_slots(area.reserved - keep), &area);
    if (!host::unmap(rest, area.reserved - keep)) {
        set_owner(rest, nr_slots(area.reserved - keep), &area); // its tables are there
        return;
    }
    area.reserved = keep;
    area.committed = area.committed < keep ? area.committed : keep;
    remove_seams(area, keep, SIZE_MAX);
}

void destroy_vm_area(vm_area& area)
{
    clear_owner(area.start, nr_slots(area.reserved), &area);
    take_apart(area);
}

void validate(const vm_area& area)
{
    VM_BUG_ON(area.size > area.committed || area.committed > area.reserved);
    VM_BUG_ON(area.stale_end > area.committed);
    VM_BUG_ON(area.lent_end > area.committed || area.run_size > area.lent_end);
    VM_BUG_ON(reinterpret_cast<std::uintptr_t>(area.start) % pageblock_size != 0);
    VM_BUG_ON(area.reserved % pageblock_size != 0);
    VM_BUG_ON(owner_of(area.start).window != &area);
    VM_BUG_ON(owner_of(area.start + area.reserved - 1).window != &area);
    VM_BUG_ON((area.run != nullptr) != (area.run_size != 0));

    std::size_t lent = area.run_size;
    unsigned nr = 0;
    list_for_each<page, &page::lru>(const_cast<list_head&>(area.lent), [&](const page& record) {
        VM_BUG_ON(record.state != page_state::free);
        VM_BUG_ON(&page_of(pageblock_of(record.start), record.start) != &record);
        lent += record.nr_run_pages << page_shift;
        ++nr;
    });
    VM_BUG_ON(lent != area.lent_end || nr != area.nr_lent);

    VM_BUG_ON(area.nr_seams > nr_seams_max);
    for (unsigned i = 0; i < area.nr_seams; ++i) {
        VM_BUG_ON(area.seams[i] <= (i == 0 ? area.lent_end : area.seams[i - 1]));
        VM_BUG_ON(area.seams[i] > area.committed);
    }
}

} // namespace bsl
