/*
 * What private heaps are made of besides slabs: the limit, runs of pages, windows.
 */
#include "heap/private_heap_parts.hpp"

#include "arena/mem_section.hpp"
#include "base/check.hpp"
#include "heap/allocation.hpp"
#include "heap/heap.hpp"
#include "heap/heap_misuse.hpp"
#include "heap/page_frames.hpp"
#include "heap/room.hpp"
#include "heap/shrinkers.hpp"
#include "heap/windows.hpp"
#include "host/vm.hpp"
#include "slab/misuse.hpp"
#include "vmalloc/adjacent.hpp"
#include "vmalloc/vmalloc.hpp"

#include <cerrno>

namespace bsl::heap
{

namespace
{

constexpr char giving_back[] = "heap_destroy";

/// Heap's lock held.
void add_held(private_heap& heap, std::size_t bytes)
{
    heap.held += bytes;
    if (heap.held > heap.held_peak)
        heap.held_peak = heap.held;
}

bool charge_at_once(private_heap& heap, std::size_t bytes)
{
    heap.enter();
    const bool fits = try_charge(heap, bytes);
    heap.leave();
    return fits;
}

/// From where alloc_window() found pageblocks that follow each other?
bool is_adjacent(const page& head)
{
    return head.nr_run_pages > pages_per_pageblock;
}

/// In the zone that the run is from: of whichever node or type.  False: the pages behind it are not free.
bool move_end_of_run(const page& head, std::size_t wanted)
{
    const std::size_t pages = head.nr_run_pages;
    zone& home = zone_of(head.start);
    mutex_guard guard(home.lock);
    if (wanted > pages)
        return home.extend_run(head.start + (pages << page_shift), wanted - pages);
    home.free_run(head.start + (wanted << page_shift), pages - wanted);
    return true;
}

void* add_run(private_heap& heap, page& head)
{
    head.state = page_state::heap;
    head.colour = 0;
    set_heap_number(head, heap.number);
    heap.enter();
    heap.runs.insert_front(head.lru);
    heap.leave();
    return head.start;
}

/// Of a window.
std::size_t whole_pages(std::size_t size)
{
    return round_up(size == 0 ? 1 : size, host::page_size());
}

/// Of which so many bytes are charged.  A cached window may be larger: what is too much is charged as well, or
/// cut off.  False: neither can be, and the window is given back.
bool add_window(private_heap& heap, vm_area& window, std::size_t charged)
{
    const std::size_t surplus = usable_size(window) - charged;
    if (surplus != 0 && !charge_at_once(heap, surplus) && !vshrink(window, charged)) {
        vfree(window, window.start);
        return false;
    }
    heap.enter();
    window.heap = heap.number;
    heap.windows.insert_front(window.heap_link);
    heap.leave();
    return true;
}

} // namespace

// --- the limit ---------------------------------------------------------------------------------

bool try_charge(private_heap& heap, std::size_t bytes)
{
    if (bytes > heap.limit || heap.held > heap.limit - bytes)
        return false;
    add_held(heap, bytes);
    return true;
}

bool charge(private_heap& heap, std::size_t bytes, effort how)
{
    const bool can_help = how == effort::all && bytes <= heap.limit;
    for (bool is_first = true;; is_first = false) {
        if (charge_at_once(heap, bytes))
            return true;
        if (can_help && give_back_empty_slabs(heap) && charge_at_once(heap, bytes))
            return true;
        if (!can_help || !is_first || run_shrinkers() == 0)
            break;
    }
    errno = ENOMEM;
    return false;
}

void uncharge(private_heap& heap, std::size_t bytes)
{
    heap.enter();
    heap.held -= bytes;
    heap.leave();
}

// --- runs of pages -----------------------------------------------------------------------------

void* alloc_run(private_heap& heap, std::size_t size, unsigned order, bool zeroed, effort how)
{
    const std::size_t bytes = round_up(size == 0 ? 1 : size, bytes_per_page);
    if (!charge(heap, bytes, how))
        return nullptr;
    frame_request request{};
    request.order = order;
    request.zeroed = zeroed;
    request.keeps_reserve = false;
    page* head = alloc_frames_exact(bytes, request);
    if (head != nullptr)
        return add_run(heap, *head);
    uncharge(heap, bytes);
    return nullptr;
}

void free_run(private_heap& heap, const void* p, page& head, const char* call)
{
    heap.enter();
    if (head.state != page_state::heap || head.start != p) // of two threads one is late
        report_free_page(call, p);
    list_head::remove(head.lru);
    head.state = page_state::frame;
    heap.held -= head.nr_run_pages << page_shift;
    heap.leave();
    give_back_heap_pages(head);
}

/// Under the heap's lock, so that a fork does not meet the books half changed.
bool resize_run(private_heap& heap, page& head, std::size_t size)
{
    const std::size_t pages = head.nr_run_pages;
    const std::size_t wanted = div_round_up(size, bytes_per_page);
    const std::size_t first = address_to_pfn(head.start) % pages_per_pageblock;
    if (size > pageblock_size || is_adjacent(head) || first + wanted > pages_per_pageblock)
        return false;
    const std::size_t more = wanted > pages ? wanted - pages : 0;
    const std::size_t fewer = wanted < pages ? pages - wanted : 0;
    if (more != 0 && !charge(heap, more << page_shift, effort::all))
        return false;
    heap.enter();
    const bool done = move_end_of_run(head, wanted);
    if (done) {
        pageblock_of(head.start).dirty.set(first, wanted);
        head.nr_run_pages = wanted;
    }
    heap.held -= (done ? fewer : more) << page_shift;
    heap.leave();
    keep_balance_after_free(this_thread.heap);
    return done;
}

// --- windows -----------------------------------------------------------------------------------

void* alloc_from_window(private_heap& heap, std::size_t size, std::size_t alignment, bool zeroed,
                        effort how)
{
    const bool is_possible = size <= PTRDIFF_MAX - pageblock_size;
    const std::size_t bytes = is_possible ? whole_pages(size) : 0;
    if (!is_possible || !charge(heap, bytes, how)) {
        errno = ENOMEM;
        return nullptr;
    }
    void* p = alloc_window(bytes, alignment, zeroed);
    vm_area* window = p != nullptr ? owner_of(p).window : nullptr;
    if (p != nullptr && window == nullptr)
        return add_run(heap, page_of(pageblock_of(p), p));
    if (p != nullptr && add_window(heap, *window, bytes))
        return p;
    uncharge(heap, bytes);
    errno = ENOMEM;
    return nullptr;
}

void free_window(private_heap& heap, void* p, vm_area& window, const char* call)
{
    heap.enter();
    if (window.heap != heap.number || !window.heap_link.is_linked()) // of two threads one is late
        report_double_free_window(call, p, window);
    list_head::remove(window.heap_link);
    window.heap = 0;
    heap.held -= usable_size(window);
    heap.leave();
    vfree(window, p);
    keep_balance_after_free(this_thread.heap);
}

/// In no list meanwhile: nobody reads how large it is, and the child of a fork has none half changed.
void* resize_window(private_heap& heap, vm_area& window, std::size_t size)
{
    const std::size_t before = usable_size(window);
    const std::size_t wanted = whole_pages(size);
    if (wanted > before && !charge(heap, wanted - before, effort::all))
        return nullptr;
    const std::size_t charged = wanted > before ? wanted : before;
    heap.enter();
    list_head::remove(window.heap_link);
    heap.leave();
    void* moved = vrealloc(window, size);
    VM_BUG_ON(usable_size(window) > charged);
    heap.enter();
    heap.windows.insert_front(window.heap_link);
    heap.held -= charged - usable_size(window);
    heap.leave();
    return moved;
}

// --- giving back -------------------------------------------------------------------------------

void give_back_heap_pages(page& head)
{
    if (is_heap_slab(head)) {
        const unsigned order = head.order;
        unmake_heap_slab(head);
        return free_frames(head, order, giving_back);
    }
    head.lru = {};
    if (is_adjacent(head)) {
        head.state = page_state::run;
        free_adjacent(head.start);
        return keep_balance_after_free(this_thread.heap);
    }
    head.colour = head.nr_run_pages != nr_pages(head.order);
    head.state = page_state::frame;
    free_frames_exact(head.start, head.nr_run_pages << page_shift, giving_back);
}

void give_back_heap_window(vm_area& window)
{
    window.heap = 0;
    window.heap_link = {};
    vfree(window, window.start);
    keep_balance_after_free(this_thread.heap);
}

} // namespace bsl::heap
