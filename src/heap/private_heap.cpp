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

std::size_t slab_bytes(unsigned order)
{
    return nr_pages(order) << page_shift;
}

/// A slab of a heap that it is charged to, in no list; nullptr without memory.
page* new_slab(private_heap& heap, unsigned order, unsigned c)
{
    page* head = alloc_frames(order, false);
    if (head == nullptr)
        uncharge(heap, slab_bytes(order));
    else
        make_heap_slab(*head, order, c, heap.number);
    return head;
}

/// The same; as large as it should be, or small: the last ones of a limited heap, and where there are only
/// single pages.  Entered with the heap's lock held, which it releases.
page* make_slab(private_heap& heap, unsigned c, effort how)
{
    const unsigned order = slab_order(heap, c);
    const unsigned least = heap_layouts[c].order_min;
    const bool is_charged = try_charge(heap, slab_bytes(order));
    heap.leave();
    const int saved = errno;
    page* head = is_charged ? new_slab(heap, order, c) : nullptr;
    if (head == nullptr && (!is_charged || order != least) && charge(heap, slab_bytes(least), how))
        head = new_slab(heap, least, c);
    if (head != nullptr)
        errno = saved;
    return head;
}

/// Heap's lock held.
void unlist(private_heap& heap, page& head)
{
    list_head::remove(head.lru);
    heap.nr_slabs -= 1;
    heap.held -= slab_bytes(head.order);
}

/// Entered with the heap's lock held, which it releases.
[[gnu::noinline]] void* take_from_new_slab(private_heap& heap, unsigned c, effort how)
{
    page* head = make_slab(heap, c, how);
    if (head == nullptr)
        return nullptr;
    void* object = take_from_heap_slab(*head, c);
    list_head& slabs = heap.slabs[c];
    page* spare = nullptr;
    heap.enter();
    if (!slabs.is_empty()) { // others may have freed meanwhile, or made a slab as well
        page& serving = slab_of(slabs.next);
        if (is_full_heap_slab(serving)) {
            put_last(slabs, serving.lru);
        } else if (is_empty_heap_slab(serving)) {
            spare = &serving;
            unlist(heap, serving);
        }
    }
    slabs.insert_front(head->lru);
    heap.classes |= std::uint64_t{1} << c;
    heap.nr_slabs += 1;
    heap.leave();
    if (spare != nullptr)
        give_back_heap_pages(*spare);
    return object;
}

void* alloc_object(private_heap& heap, unsigned c, effort how)
{
    heap.enter();
    if (void* object = take(heap, c)) [[likely]] {
        heap.leave();
        return object;
    }
    return take_from_new_slab(heap, c, how);
}

/// An object came back to a slab that does not serve.  Heap's lock held.  True: the slab is in no list any
/// more, and to be given back.
[[gnu::noinline]] bool settle(private_heap& heap, page& head, bool was_full)
{
    list_head& slabs = heap.slabs[head.colour];
    if (is_empty_heap_slab(head)) {
        unlist(heap, head);
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

void* allocate(private_heap& heap, std::size_t size, bool zeroed, effort how)
{
    if (size <= heap_object_max) {
        void* object = alloc_object(heap, heap_class_of(size), how);
        return zeroed && object != nullptr ? std::memset(object, 0, size) : object;
    }
    return size <= pageblock_size ? alloc_run(heap, size, 0, zeroed, how)
                                  : alloc_from_window(heap, size, bytes_per_page, zeroed, how);
}

// --- realloc -----------------------------------------------------------------------------------

/// Without a copy; nullptr: that cannot be.
void* resize(private_heap& heap, void* p, const allocation& old, std::size_t size)
{
    if (fits_well(size, old.size))
        return p;
    if (old.window != nullptr)
        return size > pageblock_size ? resize_window(heap, *old.window, size) : nullptr;
    const bool is_run = !is_heap_slab(*old.head) && size > heap_object_max;
    return is_run && resize_run(heap, *old.head, size) ? p : nullptr;
}

/// Where a smaller object is to go.  nullptr: nowhere, so that the old one has been made as small as it can be.
void* place_smaller(private_heap& heap, const allocation& old, std::size_t size)
{
    void* fresh = allocate(heap, size, false, effort::little);
    if (fresh == nullptr && old.window != nullptr)
        resize_window(heap, *old.window, size);
    else if (fresh == nullptr && !is_heap_slab(*old.head))
        resize_run(heap, *old.head, size);
    return fresh;
}

/// What grows once will grow again: with an eighth to spare it is copied log(n) times, not n times.
void* place_larger(private_heap& heap, const allocation& old, std::size_t size)
{
    const std::size_t roomy = old.size + old.size / 8;
    void* fresh = size < roomy ? allocate(heap, roomy, false, effort::little) : nullptr;
    return fresh != nullptr ? fresh : allocate(heap, size, false, effort::all);
}

void* realloc_by_copy(private_heap& heap, void* p, const allocation& old, std::size_t size,
                      const char* call)
{
    const bool shrinks = size <= old.size;
    void* fresh = shrinks ? place_smaller(heap, old, size) : place_larger(heap, old, size);
    if (fresh == nullptr)
        return shrinks ? p : nullptr;
    std::memcpy(fresh, p, shrinks ? size : old.size);
    heap_free(heap, p, call);
    return fresh;
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

bool give_back_empty_slabs(private_heap& heap)
{
    list_head found;
    heap.enter();
    for (std::uint64_t left = heap.classes; left != 0; left &= left - 1) {
        list_head* serving = heap.slabs[lowest_bit(left)].front(); // no other slab is ever empty
        if (serving == nullptr || !is_empty_heap_slab(slab_of(serving)))
            continue;
        unlist(heap, slab_of(serving));
        found.insert_front(*serving);
    }
    heap.leave();
    const bool is_any = !found.is_empty();
    list_for_each<page, &page::lru>(found, [](page& head) { give_back_heap_pages(head); });
    return is_any;
}

void* heap_alloc(private_heap& heap, std::size_t size) noexcept
{
    if (size <= heap_object_max) [[likely]]
        return alloc_object(heap, heap_class_of(size), effort::all);
    return allocate(heap, size, false, effort::all);
}

void* heap_zalloc(private_heap& heap, std::size_t size) noexcept
{
    return allocate(heap, size, true, effort::all);
}

void* heap_aligned_alloc(private_heap& heap, std::size_t alignment, std::size_t size) noexcept
{
    if (alignment <= malloc_alignment)
        return heap_alloc(heap, size);
    if (alignment <= bytes_per_page && size <= heap_object_max) {
        const std::size_t rounded = round_up(size == 0 ? 1 : size, alignment);
        for (unsigned c = heap_class_of(rounded); c < nr_heap_classes; ++c) {
            if (heap_class_size(c) % alignment == 0)
                return alloc_object(heap, c, effort::all);
        }
    }
    if (alignment > pageblock_size || size > pageblock_size) {
        if (alignment <= PTRDIFF_MAX / 2)
            return alloc_from_window(heap, size, alignment, false, effort::all);
        errno = ENOMEM;
        return nullptr;
    }
    const unsigned order = alignment <= bytes_per_page ? 0 : ilog2(alignment) - page_shift;
    return alloc_run(heap, size, order, false, effort::all);
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
    const int saved = errno;
    void* at = resize(heap, p, old, size);
    if (at == nullptr)
        at = realloc_by_copy(heap, p, old, size, call);
    if (at != nullptr)
        errno = saved;
    return at;
}

std::size_t heap_usable_size(private_heap& heap, const void* p, const char* call) noexcept
{
    return p == nullptr ? 0 : resolve_in(heap, p, call).size;
}

} // namespace bsl::heap
