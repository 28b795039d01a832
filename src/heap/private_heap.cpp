#include "heap/private_heap.hpp"

#include "arena/mem_section.hpp"
#include "heap/allocation.hpp"
#include "heap/heap.hpp"
#include "heap/heap_misuse.hpp"
#include "heap/page_frames.hpp"
#include "heap/room.hpp"
#include "heap/shrinkers.hpp"
#include "slab/misuse.hpp"
#include "vmalloc/adjacent.hpp"
#include "vmalloc/vmalloc.hpp"

#include <cerrno>
#include <cstring>

namespace bsl::heap
{

namespace
{

constexpr char giving_back[] = "heap_destroy";

// --- the limit ---------------------------------------------------------------------------------

/// Heap's lock held.
void add_held(private_heap& heap, std::size_t bytes)
{
    heap.held += bytes;
    if (heap.held > heap.held_peak)
        heap.held_peak = heap.held;
}

/// Heap's lock held.
bool try_charge(private_heap& heap, std::size_t bytes)
{
    if (bytes > heap.limit || heap.held > heap.limit - bytes)
        return false;
    add_held(heap, bytes);
    return true;
}

/// Takes bytes out of the limit; the program's shrinkers are asked before it is reached.  False with
/// errno = ENOMEM.
bool charge(private_heap& heap, std::size_t bytes)
{
    for (bool is_first = true;; is_first = false) {
        heap.enter();
        const bool fits = try_charge(heap, bytes);
        heap.leave();
        if (fits)
            return true;
        if (!is_first || run_shrinkers() == 0)
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

// --- slabs -------------------------------------------------------------------------------------

page& slab_of(list_head* node)
{
    return *list_entry<page, &page::lru>(node);
}

void put_last(list_head& slabs, list_head& slab)
{
    list_head::remove(slab);
    slabs.insert_back(slab);
}

/// The serving slab is full: the next one serves, if it has anything.
[[gnu::noinline]] void* take_from_next(list_head& slabs, unsigned c)
{
    put_last(slabs, *slabs.next);
    return take_from_heap_slab(slab_of(slabs.next), c);
}

/// Heap's lock held.  nullptr when no slab of the class has a free object.
[[gnu::always_inline]] inline void* take(private_heap& heap, unsigned c)
{
    list_head& slabs = heap.slabs[c];
    if (slabs.is_empty()) [[unlikely]]
        return nullptr;
    if (void* object = take_from_heap_slab(slab_of(slabs.next), c)) [[likely]]
        return object;
    return take_from_next(slabs, c);
}

/// Slabs of a heap that has many are larger.
unsigned slab_order(const private_heap& heap, unsigned c)
{
    constexpr std::size_t many = 32;
    const heap_slab_layout& l = heap_layouts[c];
    const unsigned grown = l.order_min + ilog2(1 + heap.nr_slabs / many);
    return grown < l.order_max ? grown : l.order_max;
}

/// A charged slab of a heap, in no list; nullptr without memory.
page* new_slab(private_heap& heap, unsigned order, unsigned c)
{
    page* head = alloc_frames(order, false);
    if (head == nullptr)
        uncharge(heap, nr_pages(order) << page_shift);
    else
        make_heap_slab(*head, order, c, heap.number);
    return head;
}

/// Entered with the heap's lock held, which it releases.
[[gnu::noinline]] void* take_from_new_slab(private_heap& heap, unsigned c)
    BSL_TSA(no_thread_safety_analysis)
{
    unsigned order = slab_order(heap, c);
    const bool is_charged = try_charge(heap, nr_pages(order) << page_shift);
    heap.leave();
    if (!is_charged) {
        order = heap_layouts[c].order_min; // the last ones of a limited heap are small again
        if (!charge(heap, nr_pages(order) << page_shift))
            return nullptr;
    }
    page* head = new_slab(heap, order, c);
    if (head == nullptr)
        return nullptr;
    void* object = take_from_heap_slab(*head, c);
    heap.enter();
    list_head& slabs = heap.slabs[c];
    if (!slabs.is_empty() && is_full_heap_slab(slab_of(slabs.next))) [[unlikely]]
        put_last(slabs, *slabs.next); // others may have freed behind it meanwhile
    slabs.insert_front(head->lru);
    heap.classes |= std::uint64_t{1} << c;
    heap.nr_slabs += 1;
    heap.leave();
    return object;
}

void* alloc_object(private_heap& heap, unsigned c)
{
    heap.enter();
    if (void* object = take(heap, c)) [[likely]] {
        heap.leave();
        return object;
    }
    return take_from_new_slab(heap, c);
}

/// An object came back to a slab that does not serve.  Heap's lock held.  True: the slab is in no list any
/// more, and to be given back.
[[gnu::noinline]] bool settle(private_heap& heap, page& head, bool was_full)
{
    list_head& slabs = heap.slabs[head.colour];
    if (is_empty_heap_slab(head)) {
        list_head::remove(head.lru);
        heap.nr_slabs -= 1;
        heap.held -= nr_pages(head.order) << page_shift;
        return true;
    }
    if (was_full) {
        list_head& serving = *slabs.next;
        list_head::remove(head.lru);
        list_head::remove(serving);
        slabs.insert_front(head.lru);
        slabs.insert_front(serving);
    }
    return false;
}

// --- runs of pages -----------------------------------------------------------------------------

/// From where alloc_window() found pageblocks that follow each other?
bool is_adjacent(const page& head)
{
    return head.nr_run_pages > pages_per_pageblock;
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

/// `order`: aligned to so many pages.
void* alloc_run(private_heap& heap, std::size_t size, unsigned order, bool zeroed)
{
    const std::size_t bytes = round_up(size == 0 ? 1 : size, bytes_per_page);
    if (!charge(heap, bytes))
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

/// Makes a run larger or smaller where it is; false: the pages behind it are not free.
bool resize_run(private_heap& heap, page& head, std::size_t size)
{
    const std::size_t pages = head.nr_run_pages;
    const std::size_t wanted = div_round_up(size, bytes_per_page);
    const std::size_t first = address_to_pfn(head.start) % pages_per_pageblock;
    if (is_adjacent(head) || first + wanted > pages_per_pageblock)
        return false;
    if (wanted > pages && !charge(heap, (wanted - pages) << page_shift))
        return false;
    char* const end = head.start + (pages << page_shift);
    bool done = true;
    {
        mutex_guard guard(zone_normal.lock);
        if (wanted > pages)
            done = zone_normal.extend_run(end, wanted - pages);
        else
            zone_normal.free_run(head.start + (wanted << page_shift), pages - wanted);
    }
    if (done) {
        pageblock_of(head.start).dirty.set(first, wanted);
        head.nr_run_pages = wanted;
    }
    if (wanted < pages)
        uncharge(heap, (pages - wanted) << page_shift);
    else if (!done)
        uncharge(heap, (wanted - pages) << page_shift);
    keep_balance(this_thread.heap);
    return done;
}

// --- windows -----------------------------------------------------------------------------------

void* alloc_from_window(private_heap& heap, std::size_t size, std::size_t alignment, bool zeroed)
{
    if (size > PTRDIFF_MAX - pageblock_size) {
        errno = ENOMEM;
        return nullptr;
    }
    if (!charge(heap, size))
        return nullptr;
    void* p = alloc_window(size, alignment, zeroed);
    if (p == nullptr) {
        uncharge(heap, size);
        errno = ENOMEM;
        return nullptr;
    }
    vm_area* window = owner_of(p).window;
    page* head = window == nullptr ? &page_of(pageblock_of(p), p) : nullptr;
    const std::size_t taken =
        window != nullptr ? usable_size(*window) : head->nr_run_pages << page_shift;
    heap.enter();
    add_held(heap, taken - size); // whole pages
    if (window != nullptr) {
        window->heap = heap.number;
        heap.windows.insert_front(window->heap_link);
    }
    heap.leave();
    return window != nullptr ? p : add_run(heap, *head);
}

void free_window(private_heap& heap, void* p, vm_area& window, const char* call)
{
    heap.enter();
    if (window.heap != heap.number || window.start != p) // of two threads one is late
        report_double_free_window(call, p, window);
    list_head::remove(window.heap_link);
    window.heap = 0;
    heap.held -= usable_size(window);
    heap.leave();
    vfree(window, p);
    keep_balance(this_thread.heap);
}

void* resize_window(private_heap& heap, vm_area& window, std::size_t size)
{
    const std::size_t before = usable_size(window);
    if (size > PTRDIFF_MAX - pageblock_size || (size > before && !charge(heap, size - before)))
        return nullptr;
    void* moved = vrealloc(window, size);
    const std::size_t charged = size > before ? size : before;
    heap.enter();
    heap.held -= charged;
    add_held(heap, usable_size(window));
    heap.leave();
    return moved;
}

// --- what is at an address ---------------------------------------------------------------------

/// An object of this heap; anything else is reported.
allocation resolve_in(const private_heap& heap, const void* p, const char* call)
{
    const allocation what = resolve(p, call);
    if (what.kind != allocation_kind::heap)
        report_not_of_heap(call, p, what, heap);
    if (heap_number_of(what) != heap.number)
        report_wrong_heap(call, p, heap_number_of(what), heap);
    return what;
}

/// All but objects of slabs.
[[gnu::noinline]] void free_other(private_heap& heap, void* p, const char* call)
{
    if (p == nullptr)
        return;
    const allocation what = resolve_in(heap, p, call);
    if (what.window != nullptr)
        free_window(heap, p, *what.window, call);
    else
        free_run(heap, p, *what.head, call);
}

void* allocate(private_heap& heap, std::size_t size, bool zeroed)
{
    if (size <= heap_object_max) {
        void* object = alloc_object(heap, heap_class_of(size));
        return zeroed && object != nullptr ? std::memset(object, 0, size) : object;
    }
    return size <= pageblock_size ? alloc_run(heap, size, 0, zeroed)
                                  : alloc_from_window(heap, size, bytes_per_page, zeroed);
}

} // namespace

std::size_t inspect_heap_page(const void* p, page& of, const char* call)
{
    if (!is_heap_slab(of)) {
        if (p != of.start)
            report_inside_heap_run(call, p, of);
        return of.nr_run_pages << page_shift;
    }
    page& head = heap_slab_head(of, p);
    const heap_object at = locate_in_heap_slab(head, p);
    if (!at.is_object || at.offset != 0)
        report_not_start(call, p, head, at);
    private_heap& heap = heap_numbered(heap_number(of));
    heap.enter();
    if ((head.free_objects[at.index / 64] & std::uint64_t{1} << at.index % 64) != 0)
        report_double_free(call, p, head, at.index);
    heap.leave();
    return heap_layouts[head.colour].size;
}

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
        return keep_balance(this_thread.heap);
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
    keep_balance(this_thread.heap);
}

void* heap_alloc(private_heap& heap, std::size_t size) noexcept
{
    if (size <= heap_object_max) [[likely]]
        return alloc_object(heap, heap_class_of(size));
    return allocate(heap, size, false);
}

void* heap_zalloc(private_heap& heap, std::size_t size) noexcept
{
    return allocate(heap, size, true);
}

void* heap_aligned_alloc(private_heap& heap, std::size_t alignment, std::size_t size) noexcept
{
    if (alignment <= malloc_alignment)
        return heap_alloc(heap, size);
    if (alignment <= bytes_per_page && size <= heap_object_max) {
        const std::size_t rounded = round_up(size == 0 ? 1 : size, alignment);
        for (unsigned c = heap_class_of(rounded); c < nr_heap_classes; ++c) {
            if (heap_class_size(c) % alignment == 0)
                return alloc_object(heap, c);
        }
    }
    if (alignment > pageblock_size || size > pageblock_size) {
        if (alignment <= PTRDIFF_MAX / 2)
            return alloc_from_window(heap, size, alignment, false);
        errno = ENOMEM;
        return nullptr;
    }
    const unsigned order = alignment <= bytes_per_page ? 0 : ilog2(alignment) - page_shift;
    return alloc_run(heap, size, order, false);
}

void heap_free(private_heap& heap, void* p, const char* call) noexcept
{
    const pageblock* block = owner_of(p).block;
    if (block == nullptr || block->mem_map == nullptr) [[unlikely]]
        return free_other(heap, p, call);
    page& of = page_of(*block, p);
    if (of.state != page_state::heap || heap_number(of) != heap.number || !is_heap_slab(of))
        [[unlikely]]
        return free_other(heap, p, call);
    page& head = heap_slab_head(of, p);
    const heap_object at = locate_in_heap_slab(head, p);
    if (!at.is_object || at.offset != 0) [[unlikely]]
        report_not_start(call, p, head, at);
    heap.enter();
    std::uint64_t& word = head.free_objects[at.index / 64];
    const std::uint64_t bit = std::uint64_t{1} << at.index % 64;
    if ((word & bit) != 0) [[unlikely]]
        report_double_free(call, p, head, at.index);
    const bool was_full = word == 0 && is_full_heap_slab(head);
    word |= bit;
    bool is_spare = false;
    const unsigned objects = heap_layouts[head.colour].objects_in[head.order];
    if ((was_full || word == all_free_in_word(objects, at.index / 64)) &&
        heap.slabs[head.colour].next != &head.lru)
        is_spare = settle(heap, head, was_full);
    heap.leave();
    if (is_spare)
        give_back_heap_pages(head);
}

void* heap_realloc(private_heap& heap, void* p, std::size_t size, const char* call) noexcept
{
    if (p == nullptr)
        return heap_alloc(heap, size);
    const allocation old = resolve_in(heap, p, call);
    if (size == 0) {
        heap_free(heap, p, call);
        return nullptr;
    }
    if (fits_well(size, old.size))
        return p;
    if (old.window != nullptr && size > pageblock_size) {
        if (void* moved = resize_window(heap, *old.window, size))
            return moved;
    } else if (old.window == nullptr && !is_heap_slab(*old.head) && size > heap_object_max) {
        if (resize_run(heap, *old.head, size))
            return p;
    }
    // What grows once will grow again: with an eighth to spare it is copied log(n) times, not n times.
    const std::size_t roomy = old.size + old.size / 8;
    void* fresh = nullptr;
    if (size > old.size && size < roomy)
        fresh = heap_alloc(heap, roomy);
    if (fresh == nullptr)
        fresh = heap_alloc(heap, size);
    if (fresh == nullptr)
        return nullptr;
    std::memcpy(fresh, p, old.size < size ? old.size : size);
    heap_free(heap, p, call);
    return fresh;
}

std::size_t heap_usable_size(private_heap& heap, const void* p, const char* call) noexcept
{
    return p == nullptr ? 0 : resolve_in(heap, p, call).size;
}

} // namespace bsl::heap
