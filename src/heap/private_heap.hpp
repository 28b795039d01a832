#pragma once

/// Private heaps: memory of any size that is given back all at once.
///
///     private_heap
///       slabs[1 … 32]   lists of slabs, by class:      up to 8 KiB      slab/heap_slab.hpp
///       runs            runs of whole pages:           up to 4 MiB
///       windows         windows of vmalloc:            above
///
/// All of it stands on what is there already: slabs and runs are page frames of alloc_pages(), which come
/// from this thread's bins of frames and go back there.  So a heap that is made, filled and destroyed again
/// and again lives on the same few pages, which are in the cache, and needs neither a lock of the zone nor
/// a system call.  To destroy a heap is to give its slabs, runs and windows back, whatever number of
/// objects they hold.
///
///     list of a class    serving slab > slabs with free objects > full slabs
///
/// The first slab serves.  When it is full it goes to the end; when a full one gets an object back it comes
/// second.  A slab that becomes empty, and does not serve, is given back.
///
/// Every free looks at the bitmap: what is freed twice, freed to another heap, or no object, is reported by
/// the very call.  free(), realloc() and malloc_usable_size() find the heap of an object by its struct page.
///
/// Handles.  A heap has a number, for struct page and vm_area, and a handle for the program: its address,
/// and in the low bits how often its place has been used.  Descriptors are never given back, so that a
/// handle of a heap that is gone is found out by one comparison, until its place has been used as often
/// again as the bits can count.  The place that has been unused longest is used next.
///
///     unused --- make_heap() --> live --- destroy_heap() --> unused
///
/// Limit.  Pages and windows are charged to a heap before they are in one of its lists.  Before the limit is
/// reached, serving slabs without objects are given back: no other slab is ever empty.
///
/// Locks: heaps_lock guards which descriptors are used.  A heap's lock guards all of the heap; heaps of one
/// thread do without.  Pages are taken and given back with no lock held, but those behind a run that is
/// made larger or smaller.

#include "base/counter.hpp"
#include "locking/mutex.hpp"
#include "slab/heap_slab.hpp"
#include "vmalloc/vm_area.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bsl::heap
{

struct heap_options
{
    std::string_view name;
    std::size_t limit = SIZE_MAX; ///< bytes of pages and windows
    bool one_thread = false;      ///< only one thread at a time uses the heap: no lock
};

/// The handle's low bits count the uses of a descriptor.
inline constexpr std::size_t heap_descriptor_size = 1024;

struct alignas(heap_descriptor_size) private_heap
{
    mutex lock{lock_rank::heap};
    bool one_thread;
    std::uint32_t number;               ///< from 1
    std::atomic<std::uintptr_t> handle; ///< 0: unused.  Lock: heaps_lock
    std::uintptr_t last_handle;         ///< Lock: heaps_lock
    private_heap* next_unused;          ///< Lock: heaps_lock

    std::size_t limit;
    counter<std::size_t> held; ///< bytes of slabs, runs and windows
    counter<std::size_t> held_peak;
    counter<std::size_t> nr_slabs;
    std::uint64_t classes; ///< bit c: slabs[c] is not empty, or was not
    char name[32];

    list_head runs;    ///< struct pages by lru
    list_head windows; ///< vm_areas by heap_link
    list_head slabs[nr_heap_classes];

    void enter() BSL_TSA(no_thread_safety_analysis)
    {
        if (!one_thread)
            lock.lock();
    }
    void leave() BSL_TSA(no_thread_safety_analysis)
    {
        if (!one_thread)
            lock.unlock();
    }
};
static_assert(sizeof(private_heap) == heap_descriptor_size);

/// What is in a heap.
struct heap_figures
{
    std::size_t nr_objects;
    std::size_t in_use; ///< bytes of them, as usable
    std::size_t held;
    std::size_t held_peak;
    std::size_t nr_slabs;
};

// --- heaps (private_heaps.cpp) -----------------------------------------------------------------

extern constinit mutex heaps_lock;

/// nullptr with errno = ENOMEM; ENOSPC when there are 2^20 heaps.
private_heap* make_heap(const heap_options& options);

/// Gives back all that the heap holds.  Nobody uses it meanwhile.
void reset_heap(private_heap& heap);
/// The same, and the heap is no more.
void destroy_heap(private_heap& heap);

/// The heap of a number that stands in a struct page or vm_area.
private_heap& heap_numbered(std::uint32_t number);

/// The handle is one of no heap, or of one that is gone.
[[noreturn, gnu::cold]] void report_no_heap(const char* call, std::uintptr_t handle);

[[gnu::always_inline]] inline private_heap& heap_of_handle(std::uintptr_t handle, const char* call)
{
    auto* heap = reinterpret_cast<private_heap*>(handle & ~(heap_descriptor_size - 1));
    if (heap->handle.load(std::memory_order_relaxed) != handle) [[unlikely]]
        report_no_heap(call, handle);
    return *heap;
}

heap_figures figures_of(private_heap& heap);

/// Aborts if the heap's lists, its slabs or its counts are not in order.
void validate(private_heap& heap);

/// Live heaps, and the bytes that they hold.
struct heaps_totals
{
    std::size_t nr;
    std::size_t held;
};
heaps_totals totals_of_private_heaps();

/// Descriptors that were ever used; with heaps_lock held, or frozen by a fork.
std::size_t nr_heap_descriptors() BSL_TSA(requires_capability(heaps_lock));

/// Calls fn(private_heap&) for each of those.
template <typename Fn>
void for_each_private_heap(Fn fn) BSL_TSA(requires_capability(heaps_lock))
{
    for (std::size_t n = 1; n <= nr_heap_descriptors(); ++n)
        fn(heap_numbered(static_cast<std::uint32_t>(n)));
}

// --- objects (private_heap.cpp) ----------------------------------------------------------------

/// Any size.  nullptr with errno = ENOMEM.
void* heap_alloc(private_heap& heap, std::size_t size) noexcept;
void* heap_zalloc(private_heap& heap, std::size_t size) noexcept;
/// `alignment` is a power of two.
void* heap_aligned_alloc(private_heap& heap, std::size_t alignment, std::size_t size) noexcept;
/// As realloc(), within the heap.
void* heap_realloc(private_heap& heap, void* p, std::size_t size, const char* call) noexcept;
/// Anything but an object of this heap is reported.
void heap_free(private_heap& heap, void* p, const char* call) noexcept;
std::size_t heap_usable_size(private_heap& heap, const void* p, const char* call) noexcept;

/// Gives a slab or run that is in no list back.  The caller has uncharged it.
void give_back_heap_pages(page& head);
/// The same of a window.
void give_back_heap_window(vm_area& window);

// --- for who meets an address of a heap (resolve(), allocation.hpp) ----------------------------

/// Usable bytes at p, whose page is one of a heap, in whichever of its pages.  What is not the start of an
/// object in use is reported.
std::size_t inspect_heap_page(const void* p, page& of, const char* call);

} // namespace bsl::heap
