/*
 * malloc's meaning: which path serves a request, and what an address is.  What is done when memory runs
 * out: room.hpp.  How an object changes its size: realloc.cpp.
 */
#include "heap/heap.hpp"

#include "arena/arena.hpp"
#include "arena/class_map.hpp"
#include "buddy/reclaim.hpp"
#include "buddy/zonelist.hpp"
#include "heap/calls.hpp"
#include "heap/early.hpp"
#include "heap/object_caches.hpp"
#include "heap/paths.hpp"
#include "heap/private_heap.hpp"
#include "heap/room.hpp"
#include "heap/shrinkers.hpp"
#include "heap/windows.hpp"
#include "host/clear.hpp"
#include "slab/debug.hpp"
#include "slab/holes.hpp"
#include "slab/misuse.hpp"
#include "vmalloc/adjacent.hpp"
#include "vmalloc/vmalloc.hpp"

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace bsl::heap
{

namespace
{

void* alloc_class(unsigned size_class, bool& zeros)
{
    void* object = with_room([&]() -> void* {
        if (thread_heap* mine = this_thread_heap())
            return mine->alloc(kmalloc_cache(size_class), zeros);
        mutex_guard guard(direct_lock);
        zeros = false;
        return kmalloc_cache(size_class).alloc_one();
    });
    thread_heap* mine = this_thread.heap;
    keep_balance_after_alloc(mine, mine == nullptr || mine->has_moved());
    return object;
}

/// Whole pages, aligned to 2^order pages: for alignments that no class has.
void* alloc_run(std::size_t pages, unsigned order, bool& zeros)
{
    void* run = with_room([&]() -> void* {
        char* start = alloc_near(current_node(), [&](zone& from) {
            mutex_guard guard(from.lock);
            return from.alloc_pages_exact(pages, order, migrate_type::run);
        });
        return start == nullptr ? nullptr : mark_run(start, pages, zeros);
    });
    keep_balance_after_alloc(this_thread.heap);
    return run;
}

void free_run(page& head)
{
    zone& home = home_of(head.start);
    mutex_guard guard(home.lock);
    head.state = page_state::free;
    home.free_run(head.start, head.nr_run_pages);
}

[[noreturn, gnu::cold, gnu::noinline]] void report_parked(void* p, const page& head,
                                                          const char* call)
{
    report_double_free(call, locate(p, head));
}

/// Where the machine has several nodes, or the thread keeps one of its class or too much already.
[[gnu::noinline]] void free_large_slow(void* p, page& head)
{
    thread_heap* mine = this_thread_heap();
    if (mine != nullptr && is_local(p) && mine->keep_large_instead(head))
        return;
    const kmem_cache& cache = all_caches[head.cache];
    unpark(head);
    if (mine != nullptr) {
        mine->free(cache, p);
    } else {
        mutex_guard guard(direct_lock);
        cache.free_one(p);
    }
    keep_balance_after_free(mine);
}

/// An object with a slab of its own, in use.
void free_large(void* p, page& head, const char* call)
{
    if (!park(head)) [[unlikely]]
        report_parked(p, head, call);
    thread_heap* mine = this_thread.heap;
    if (mine == nullptr || nr_nodes() != 1 || !mine->keep_large(head)) [[unlikely]]
        free_large_slow(p, head);
}

void free_object(void* p, unsigned size_class)
{
    thread_heap* mine = this_thread_heap();
    if (mine != nullptr) {
        if (mine->bins().of_class[size_class].is_topmost(p))
            report_double_free("free", locate(p, *virt_to_page(p)));
        mine->free(kmalloc_cache(size_class), p);
    } else {
        mutex_guard guard(direct_lock);
        kmalloc_cache(size_class).free_one(p);
    }
    keep_balance_after_free(mine, mine == nullptr || mine->has_moved());
}

/// Does a window start here that is of no private heap?  Perhaps it is free already: vfree() knows.
bool starts_window(const void* p, const vm_area* window)
{
    return window != nullptr && window->start == p && window->heap == 0;
}

void free_window(void* p, vm_area& window, const char* call)
{
    if (!drop_guard(window)) {
        host::discard(window.start, window.size);
        return;
    }
    const vfree_result result = vfree(window, p);
    if (result == vfree_result::already_free)
        report_double_free_window(call, p, window);
    keep_balance_after_free(this_thread.heap, result != vfree_result::kept);
}

[[gnu::noinline]] void free_any(void* p, const char* call)
{
    if (p != nullptr)
        free_allocation(p, resolve(p, call), call);
}

void* alloc_aligned(std::size_t alignment, std::size_t size)
{
    bool zeros = false;
    if (size > kmalloc_size_max || alignment > pageblock_size)
        return alloc_window(size, alignment, false);
    if (alignment <= bytes_per_page)
        return allocate(round_up(size + (size == 0), alignment), zeros); // class_of_aligned()
    const std::size_t pages = size == 0 ? 1 : div_round_up(size, bytes_per_page);
    const std::size_t span = pages << page_shift < alignment ? alignment : pages << page_shift;
    return alloc_run(pages, ilog2_ceil(span) - page_shift, zeros);
}

} // namespace

void* out_of_memory()
{
    errno = ENOMEM;
    return nullptr;
}

void* alloc_large(const kmem_cache& cache, single_request wanted, bool& zeros)
{
    zeros = false;
    if (this_thread.heap != nullptr) {
        this_thread.heap->settle_large();
        if (void* kept = this_thread.heap->take_large(cache.size_class(), wanted.pages))
            return kept;
    }
    void* object = with_room([&]() -> void* {
        if (thread_heap* mine = this_thread_heap())
            return mine->alloc_single(cache, wanted, zeros);
        mutex_guard guard(direct_lock);
        return cache.refill_single(current_shard(), wanted, zeros);
    });
    keep_balance_after_alloc(this_thread.heap); // pages always moved
    return object;
}

void* allocate(std::size_t size, bool& zeros)
{
    if (size > kmalloc_size_max) {
        zeros = false;
        return alloc_window(size, bytes_per_page, false);
    }
    const unsigned size_class = class_of(size);
    if (size_class < nr_slab_classes)
        return alloc_class(size_class, zeros);
    const std::size_t pages = div_round_up(size, bytes_per_page);
    return alloc_large(kmalloc_cache(size_class), {pages, run_fit::tight}, zeros);
}

void free_allocation(void* p, const allocation& what, const char* call)
{
    switch (what.kind) {
    case allocation_kind::object:
        if (kmalloc_cache(what.size_class).is_single())
            return free_large(p, *what.head, call);
        return free_object(p, what.size_class);
    case allocation_kind::program:
        return cache_free(to_program_cache(cache_numbered(what.head->cache)), p);
    case allocation_kind::heap:
        return heap_free(heap_numbered(heap_number_of(what)), p, call);
    case allocation_kind::early:
        return;
    case allocation_kind::run:
        free_run(*what.head);
        return keep_balance_after_free(this_thread.heap);
    case allocation_kind::adjacent:
        if (free_adjacent(static_cast<char*>(p)) == vfree_result::already_free)
            report_free_page(call, p);
        return keep_balance_after_free(this_thread.heap);
    case allocation_kind::window:
        return free_window(p, *what.window, call);
    }
}

void* malloc_slow(std::size_t size) noexcept
{
    if (size == 0 && this_thread.bins != nullptr && !counts_calls()) // whose class has no objects
        return malloc(1);
    if (this_thread.bins == nullptr && is_early()) [[unlikely]]
        return early_alloc(size, malloc_alignment);
    count(calls.malloc, size);
    bool zeros = false;
    void* p = allocate(size, zeros);
    return p != nullptr ? p : out_of_memory();
}

/// A large object that this thread keeps, or nullptr.  `mine`: its bins, which say whether calls are counted.
[[gnu::always_inline]] inline void* large_at_hand(const thread_bins* mine, std::size_t size)
{
    if (mine == &no_bins) [[unlikely]]
        return nullptr;
    return this_thread.heap->take_large(class_of_large(size), div_round_up(size, bytes_per_page));
}

void* malloc_medium(std::size_t size) noexcept
{
    thread_bins* mine = this_thread.bins;
    if (mine == nullptr) [[unlikely]]
        return malloc_slow(size);
    void* object = nullptr;
    if (size <= slab_size_max) [[likely]]
        object = mine->of_class[class_of_large(size)].pop();
    else if (size <= kmalloc_size_max)
        object = large_at_hand(mine, size);
    return object != nullptr ? object : malloc_slow(size);
}

void free_slow(void* p, std::size_t size_class) noexcept
{
    if (p == nullptr)
        return;
    count(calls.free);
    if (size_class == single_map_class) {
        page& head = page_of(pageblock_of(p), p);
        if (head.start == p) [[likely]]
            return free_large(p, head, "free");
    }
    if (is_malloc_class(static_cast<unsigned>(size_class)))
        return free_object(p, static_cast<unsigned>(size_class));
    if (vm_area* window = window_at(p); starts_window(p, window))
        return free_window(p, *window, "free");
    free_any(p, "free");
}

void free_for(void* p, const char* call) noexcept
{
    if (p == nullptr)
        return;
    count(calls.free);
    free_any(p, call);
}

void* calloc(std::size_t nr, std::size_t size) noexcept
{
    std::size_t total = 0;
    if (__builtin_mul_overflow(nr, size, &total))
        return out_of_memory();
    thread_bins* mine = this_thread.bins;
    if (total - 1 < slab_size_max && mine != nullptr) [[likely]] {
        const unsigned size_class = class_of(total);
        if (void* object = mine->of_class[size_class].pop()) [[likely]]
            return std::memset(object, 0, total);
    }
    if (this_thread.bins == nullptr && is_early()) [[unlikely]]
        return early_alloc(total, malloc_alignment); // fresh from the kernel
    count(calls.calloc, total);
    if (total > kmalloc_size_max) {
        void* window = alloc_window(total, bytes_per_page, true);
        return window != nullptr ? window : out_of_memory();
    }
    bool zeros = false;
    void* p = allocate(total, zeros);
    if (p == nullptr)
        return out_of_memory();
    if (!zeros)
        host::clear(p, total);
    return p;
}

namespace
{

/// An aligned object that lies in a bin, or is kept, or nullptr.
[[gnu::always_inline]] inline void* aligned_at_hand(std::size_t alignment, std::size_t size)
{
    thread_bins* mine = this_thread.bins;
    if (alignment > bytes_per_page || mine == nullptr) [[unlikely]]
        return nullptr;
    if (size <= slab_size_max) [[likely]]
        return mine->of_class[class_of_aligned(alignment, size)].pop();
    return size <= kmalloc_size_max ? large_at_hand(mine, round_up(size, alignment)) : nullptr;
}

[[gnu::noinline]] void* aligned_alloc_slow(std::size_t alignment, std::size_t size)
{
    if (this_thread.bins == nullptr && is_early()) [[unlikely]]
        return early_alloc(size, alignment);
    count(calls.aligned);
    if (size > PTRDIFF_MAX - pageblock_size || alignment > PTRDIFF_MAX)
        return out_of_memory();
    if (counts_calls() && alignment <= bytes_per_page && size <= kmalloc_size_max) [[unlikely]]
        count_request(class_of_aligned(alignment, size), size);
    void* p = alloc_aligned(alignment, size);
    return p != nullptr ? p : out_of_memory();
}

} // namespace

void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept
{
    void* object = aligned_at_hand(alignment, size);
    return object != nullptr ? object : aligned_alloc_slow(alignment, size);
}

void* aligned_alloc_quietly(std::size_t alignment, std::size_t size) noexcept
{
    if (void* object = aligned_at_hand(alignment, size)) [[likely]]
        return object;
    const int saved = errno;
    void* p = aligned_alloc_slow(alignment, size);
    errno = saved;
    return p;
}

std::size_t usable_size(const void* p, const char* call) noexcept
{
    const unsigned size_class = page_classes.lookup(p);
    if (is_malloc_class(size_class) && !is_checked(size_class)) [[likely]]
        return class_size(size_class);
    return p == nullptr ? 0 : resolve(p, call).size;
}

bool trim(std::size_t keep) noexcept
{
    const std::size_t before = totals_of_reclaim().bytes;
    run_shrinkers();
    drain_all_threads();
    discard_all_holes();
    const std::size_t windows = release_windows();
    for_each_zone([keep](zone& z) {
        if (type_of_zone(z.number()) == zone_type::movable)
            return; // always there: that is what it is for
        reclaim_pages(z, true, keep);
        reclaim_pages(z, false, keep);
    });
    return windows != 0 || totals_of_reclaim().bytes != before;
}

} // namespace bsl::heap
