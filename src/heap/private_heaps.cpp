/*
 * Which private heaps there are.
 *
 *     chunks[0 … 32767] -> 32 descriptors each, made as they are needed, never given back
 *
 * A descriptor that is not used keeps its lists, which are empty, so that making a heap writes two cache
 * lines.
 */
#include "heap/private_heap.hpp"

#include "arena/memblock.hpp"
#include "base/check.hpp"

#include <cerrno>
#include <cstring>
#include <new>

namespace bsl::heap
{

constinit mutex heaps_lock{lock_rank::heaps};

namespace
{

constexpr std::size_t heaps_per_chunk = 32;
constexpr std::size_t nr_chunks_max = 32768;

constinit std::atomic<private_heap*> chunks[nr_chunks_max];
constinit std::size_t nr_made BSL_TSA(guarded_by(heaps_lock)) = 0;

/// Used again in turn, so that handles of heaps that are gone stay invalid for long.
constinit private_heap* first_unused BSL_TSA(guarded_by(heaps_lock)) = nullptr;
constinit private_heap* last_unused BSL_TSA(guarded_by(heaps_lock)) = nullptr;

/// A descriptor that was never used; nullptr with errno.
private_heap* new_descriptor() BSL_TSA(requires_capability(heaps_lock))
{
    if (nr_made == nr_chunks_max * heaps_per_chunk) {
        errno = ENOSPC;
        return nullptr;
    }
    std::atomic<private_heap*>& chunk = chunks[nr_made / heaps_per_chunk];
    if (nr_made % heaps_per_chunk == 0) {
        // memblock aligns to a cache line.
        void* at = memblock_alloc((heaps_per_chunk + 1) * heap_descriptor_size);
        if (at == nullptr) {
            errno = ENOMEM;
            return nullptr;
        }
        const std::uintptr_t start =
            round_up(reinterpret_cast<std::uintptr_t>(at), heap_descriptor_size);
        chunk.store(reinterpret_cast<private_heap*>(start), std::memory_order_release);
    }
    auto* made =
        new (chunk.load(std::memory_order_relaxed) + nr_made % heaps_per_chunk) private_heap{};
    made->number = static_cast<std::uint32_t>(++nr_made);
    made->last_handle = reinterpret_cast<std::uintptr_t>(made);
    return made;
}

private_heap* take_descriptor() BSL_TSA(requires_capability(heaps_lock))
{
    private_heap* heap = first_unused;
    if (heap == nullptr)
        return new_descriptor();
    first_unused = heap->next_unused;
    return heap;
}

void put_descriptor(private_heap& heap) BSL_TSA(requires_capability(heaps_lock))
{
    heap.next_unused = nullptr;
    (first_unused == nullptr ? first_unused : last_unused->next_unused) = &heap;
    last_unused = &heap;
}

/// The next handle of this place: all of the low bits are its count.
std::uintptr_t next_handle(const private_heap& heap)
{
    const auto place = reinterpret_cast<std::uintptr_t>(&heap);
    return place + (heap.last_handle + 1) % heap_descriptor_size;
}

} // namespace

private_heap& heap_numbered(std::uint32_t number)
{
    const std::size_t index = number - 1;
    return chunks[index / heaps_per_chunk].load(std::memory_order_acquire)[index % heaps_per_chunk];
}

private_heap* make_heap(const heap_options& options)
{
    mutex_guard guard(heaps_lock);
    private_heap* heap = take_descriptor();
    if (heap == nullptr)
        return nullptr;
    heap->one_thread = options.one_thread;
    heap->limit = options.limit;
    heap->held_peak = 0;
    const std::size_t room = sizeof heap->name - 1;
    const std::size_t length = options.name.size() < room ? options.name.size() : room;
    std::memcpy(heap->name, options.name.data(), length);
    heap->name[length] = '\0';
    heap->last_handle = next_handle(*heap);
    heap->handle.store(heap->last_handle, std::memory_order_relaxed);
    return heap;
}

/// The heap is empty before anything is given back: the child of a fork in the middle of it loses what is
/// left, but has nothing in its heap that somebody else has as well.
void reset_heap(private_heap& heap)
{
    list_head pages;
    list_head windows;
    heap.enter();
    for (std::uint64_t left = heap.classes; left != 0; left &= left - 1)
        pages.take_all(heap.slabs[lowest_bit(left)]);
    pages.take_all(heap.runs);
    windows.take_all(heap.windows);
    heap.classes = 0;
    heap.nr_slabs = 0;
    heap.held = 0;
    heap.leave();
    list_for_each<page, &page::lru>(pages, [](page& head) { give_back_heap_pages(head); });
    list_for_each<vm_area, &vm_area::heap_link>(
        windows, [](vm_area& window) { give_back_heap_window(window); });
}

void destroy_heap(private_heap& heap)
{
    reset_heap(heap);
    mutex_guard guard(heaps_lock);
    heap.handle.store(0, std::memory_order_relaxed);
    put_descriptor(heap);
}

heap_figures figures_of(private_heap& heap)
{
    heap_figures sum{};
    heap.enter();
    for (unsigned c = 1; c < nr_heap_classes; ++c) {
        list_for_each<page, &page::lru>(heap.slabs[c], [&](page& head) {
            const unsigned n = heap_layouts[c].objects_in[head.order] - nr_free_in_heap_slab(head);
            sum.nr_objects += n;
            sum.in_use += std::size_t{n} * heap_layouts[c].size;
        });
    }
    list_for_each<page, &page::lru>(heap.runs, [&sum](page& head) {
        ++sum.nr_objects;
        sum.in_use += head.nr_run_pages << page_shift;
    });
    list_for_each<vm_area, &vm_area::heap_link>(heap.windows, [&sum](vm_area& window) {
        ++sum.nr_objects;
        sum.in_use += window.size;
    });
    sum.held = heap.held;
    sum.held_peak = heap.held_peak;
    sum.nr_slabs = heap.nr_slabs;
    heap.leave();
    return sum;
}

namespace
{

/// Heap's lock held.  Bytes of the slabs of a class.
std::size_t validate_class(private_heap& heap, unsigned c)
{
    std::size_t bytes = 0;
    bool is_first = true;
    bool seen_full = false;
    list_for_each<page, &page::lru>(heap.slabs[c], [&](page& head) {
        for (std::size_t i = 0; i < nr_pages(head.order); ++i) {
            const page& p = (&head)[i];
            VM_BUG_ON(p.state != page_state::heap || p.colour != c || p.order != head.order);
            VM_BUG_ON(heap_number(p) != heap.number);
        }
        const bool is_full = is_full_heap_slab(head);
        VM_BUG_ON(!is_first && seen_full && !is_full);
        seen_full = seen_full || (is_full && !is_first);
        is_first = false;
        bytes += nr_pages(head.order) << page_shift;
    });
    VM_BUG_ON(bytes != 0 && (heap.classes >> c & 1) == 0);
    return bytes;
}

} // namespace

void validate(private_heap& heap)
{
    heap.enter();
    std::size_t held = 0;
    for (unsigned c = 1; c < nr_heap_classes; ++c)
        held += validate_class(heap, c);
    list_for_each<page, &page::lru>(heap.runs, [&](page& head) {
        VM_BUG_ON(head.state != page_state::heap || is_heap_slab(head));
        VM_BUG_ON(heap_number(head) != heap.number);
        held += head.nr_run_pages << page_shift;
    });
    list_for_each<vm_area, &vm_area::heap_link>(heap.windows, [&](vm_area& window) {
        VM_BUG_ON(window.heap != heap.number || window.state == vm_area_state::cached);
        held += window.size;
    });
    // What a thread is about to add is charged already.
    VM_BUG_ON(held > heap.held || heap.held > heap.held_peak || held > heap.limit);
    heap.leave();
}

heaps_totals totals_of_private_heaps()
{
    heaps_totals sum{};
    mutex_guard guard(heaps_lock);
    for_each_private_heap([&sum](const private_heap& heap) {
        if (heap.handle.load(std::memory_order_relaxed) == 0)
            return;
        ++sum.nr;
        sum.held += heap.held;
    });
    return sum;
}

std::size_t nr_heap_descriptors()
{
    return nr_made;
}

} // namespace bsl::heap
