#include "heap/private_heap.hpp"

#include "arena/mem_section.hpp"
#include "heap/allocation.hpp"
#include "heap/heap.hpp"
#include "heap/heap_misuse.hpp"
#include "heap/page_frames.hpp"
#include "heap/private_heap_parts.hpp"
#include "slab/misuse.hpp"

#include <cerrno>
#include <cstring>

namespace bsl::heap
{

namespace
{

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
    if (size > PTRDIFF_MAX - pageblock_size) {
        errno = ENOMEM;
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
