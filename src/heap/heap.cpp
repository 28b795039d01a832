/*
 * malloc's meaning: which path serves a request, and what an address is.  What is done when memory runs
 * out: room.hpp.
 */
#include "heap/heap.hpp"

#include "arena/arena.hpp"
#include "buddy/reclaim.hpp"
#include "buddy/zonelist.hpp"
#include "config/params.hpp"
#include "heap/allocation.hpp"
#include "heap/early.hpp"
#include "heap/object_caches.hpp"
#include "heap/private_heap.hpp"
#include "heap/room.hpp"
#include "heap/shrinkers.hpp"
#include "heap/windows.hpp"
#include "slab/debug.hpp"
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

struct call_counters
{
    std::atomic<std::size_t> malloc, calloc, realloc, aligned, free;
};
constinit call_counters calls{};

void count(std::atomic<std::size_t>& counter)
{
    if (counts_calls()) [[unlikely]]
        counter.fetch_add(1, std::memory_order_relaxed);
}

/// Counts a request for `size` bytes that a class serves; nr_classes: none does.
void count_request(unsigned size_class, std::size_t size)
{
    if (size_class >= nr_classes)
        return;
    requests[size_class].nr.fetch_add(1, std::memory_order_relaxed);
    requests[size_class].bytes.fetch_add(size, std::memory_order_relaxed);
    const std::size_t given =
        size_class < nr_slab_classes ? class_size(size_class) : round_up(size, bytes_per_page);
    requests[size_class].given.fetch_add(given, std::memory_order_relaxed);
}

/// Counts a call that asks for `size` bytes.
void count(std::atomic<std::size_t>& counter, std::size_t size)
{
    if (!counts_calls()) [[likely]]
        return;
    count(counter);
    count_request(size > kmalloc_size_max ? nr_classes : class_of(size), size);
}

void* out_of_memory()
{
    errno = ENOMEM;
    return nullptr;
}

/// Is each call to be counted, or each free of this class to be checked?
bool is_looked_at(unsigned size_class)
{
    return counts_calls() || is_checked(size_class);
}

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

/// An object with a slab of its own.
void* alloc_large(const kmem_cache& cache, single_request wanted, bool& zeros)
{
    void* object = with_room([&]() -> void* {
        if (thread_heap* mine = this_thread_heap())
            return mine->alloc_single(cache, wanted, zeros);
        mutex_guard guard(direct_lock);
        return cache.refill_single(current_shard(), wanted, zeros);
    });
    keep_balance_after_alloc(this_thread.heap); // pages always moved
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

/// Any size; does not count and does not set errno.  `zeros`: known to be all zeros.
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
    if (this_thread.heap != nullptr) {
        if (void* object = this_thread.heap->take_large(size_class, pages)) {
            zeros = false;
            return object;
        }
    }
    return alloc_large(kmalloc_cache(size_class), {pages, run_fit::tight}, zeros);
}

/// An object with a slab of its own, in use.
void free_large(void* p, page& head, const char* call)
{
    if (!park(head))
        report_double_free(call, locate(p, head));
    const kmem_cache& cache = all_caches[head.cache];
    thread_heap* mine = this_thread_heap();
    if (mine != nullptr && is_local(p) && mine->keep_large(head, cache.size_class()))
        return;
    unpark(head);
    if (mine != nullptr) {
        mine->free(cache, p);
    } else {
        mutex_guard guard(direct_lock);
        cache.free_one(p);
    }
    keep_balance_after_free(mine);
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

/// Frees what resolve() has found to be in order.
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
        drop_guard(*what.window);
        if (vfree(*what.window, p) == vfree_result::already_free)
            report_double_free_window(call, p, *what.window);
        return keep_balance_after_free(this_thread.heap);
    }
}

void free_any(void* p, const char* call)
{
    if (p != nullptr)
        free_allocation(p, resolve(p, call), call);
}

/// What has grown will grow again: large objects get a place where they can.
void* allocate_to_grow(std::size_t size)
{
    bool zeros = false;
    if (size <= slab_size_max || size > kmalloc_size_max)
        return allocate(size, zeros);
    const kmem_cache& cache = kmalloc_cache(class_of(size));
    return alloc_large(cache, {cache.single_pages_max(), run_fit::roomy}, zeros);
}

void* realloc_by_copy(void* p, const allocation& old, std::size_t size, const char* call)
{
    bool zeros = false;
    void* fresh = size > old.size ? allocate_to_grow(size) : allocate(size, zeros);
    if (fresh == nullptr)
        return size > old.size ? out_of_memory() : p;
    std::memcpy(fresh, p, old.size < size ? old.size : size);
    free_allocation(p, old, call);
    return fresh;
}

/// Can the object become so large, or so small, where it is?  What grows will grow again: it gets all pages of
/// its class at once.
bool resize_in_place(const allocation& old, std::size_t size)
{
    const kmem_cache& from = kmalloc_cache(old.size_class);
    const kmem_cache& to = kmalloc_cache(class_of(size));
    if (!from.is_single() || !to.is_single())
        return &from == &to;
    const std::size_t pages =
        size < old.size ? div_round_up(size, bytes_per_page) : to.single_pages_max();
    // Under the thread's lock, so that a fork does not meet the books half changed.
    thread_heap* mine = this_thread.heap;
    mutex_guard guard(mine != nullptr ? mine->lock : direct_lock);
    return from.resize_single(*old.head, to, pages);
}

/// As malloc(), but errno stays: making something smaller does not fail.
void* alloc_smaller(std::size_t size)
{
    const unsigned size_class = class_of(size);
    bool zeros = false;
    void* object =
        this_thread.bins->of_class[size_class].pop(); // there are bins where there are objects
    return object != nullptr ? object : alloc_class(size_class, zeros);
}

/// realloc() between classes with many objects a slab: hits all the way.
void* realloc_small(void* p, std::size_t size, std::size_t old_size)
{
    if (fits_well(size, old_size))
        return p;
    const bool grows = size > old_size;
    // What grows once will grow again: with an eighth to spare it is copied log(n) times, not n times.
    const std::size_t wanted = old_size + old_size / 8;
    void* fresh = grows ? malloc(size < wanted ? wanted : size) : alloc_smaller(size);
    if (fresh == nullptr)
        return grows ? nullptr : p;
    std::memcpy(fresh, p, grows ? old_size : size);
    free(p);
    return fresh;
}

/// A large object that outgrows the largest class: its frames move into a window, its bytes do not.
void* realloc_into_window(void* p, const allocation& old, std::size_t size)
{
    if (old.kind != allocation_kind::object || old.size < move_frames_from)
        return nullptr;
    void* window = vmalloc_from_run(static_cast<char*>(p), old.size, size);
    if (window != nullptr)
        kmalloc_cache(old.size_class).disown_single(*old.head);
    return window;
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

void* malloc_slow(std::size_t size) noexcept
{
    if (this_thread.bins == nullptr && is_early()) [[unlikely]]
        return early_alloc(size, malloc_alignment);
    count(calls.malloc, size);
    bool zeros = false;
    void* p = allocate(size, zeros);
    return p != nullptr ? p : out_of_memory();
}

void* malloc_medium(std::size_t size) noexcept
{
    thread_bins* mine = this_thread.bins;
    if (size <= slab_size_max && mine != nullptr) [[likely]] {
        if (void* object = mine->of_class[class_of_large(size)].pop()) [[likely]]
            return object;
    } else if (size <= kmalloc_size_max && mine != nullptr && mine != &no_bins) {
        if (void* object = this_thread.heap->take_large(
                class_of_large(size), div_round_up(size, bytes_per_page))) [[likely]]
            return object;
    }
    return malloc_slow(size);
}

void free_slow(void* p, std::size_t size_class) noexcept
{
    if (p == nullptr)
        return;
    count(calls.free);
    if (is_malloc_class(static_cast<unsigned>(size_class)))
        free_object(p, static_cast<unsigned>(size_class));
    else if (page* head = single_object_at(p))
        free_large(p, *head, "free");
    else
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
    return zeros ? p : std::memset(p, 0, total);
}

void* realloc(void* p, std::size_t size, const char* call) noexcept
{
    if (this_thread.bins == nullptr && is_early()) [[unlikely]]
        return early_realloc(p, size);
    const unsigned size_class = page_classes.lookup(p);
    if (is_malloc_class(size_class) && size - 1 < slab_size_max && !is_looked_at(size_class))
        [[likely]]
        return realloc_small(p, size, class_size(size_class));
    count(calls.realloc, size);
    bool zeros = false;
    if (p == nullptr) {
        void* fresh = allocate(size, zeros);
        return fresh != nullptr ? fresh : out_of_memory();
    }
    const allocation old = resolve(p, call);
    if (old.kind == allocation_kind::heap)
        return heap_realloc(heap_numbered(heap_number_of(old)), p, size, call);
    if (size == 0) {
        free_allocation(p, old, call);
        return nullptr;
    }
    if (fits_well(size, old.size))
        return p;
    if (size > kmalloc_size_max) {
        if (size > PTRDIFF_MAX - pageblock_size)
            return out_of_memory();
        if (old.kind == allocation_kind::window) {
            drop_guard(*old.window);
            if (void* moved = vrealloc(*old.window, size))
                return moved;
        } else if (void* moved = realloc_into_window(p, old, size)) {
            return moved;
        }
    } else if (old.kind == allocation_kind::object && resize_in_place(old, size)) {
        return p;
    }
    return realloc_by_copy(p, old, size, call);
}

namespace
{

/// An aligned object that lies in a bin, or nullptr.
void* aligned_at_hand(std::size_t alignment, std::size_t size)
{
    thread_bins* mine = this_thread.bins;
    if (size > slab_size_max || alignment > bytes_per_page || mine == nullptr) [[unlikely]]
        return nullptr;
    return mine->of_class[class_of_aligned(alignment, size)].pop();
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
    return p == nullptr ? 0 : resolve(p, call).size;
}

bool trim(std::size_t keep) noexcept
{
    const std::size_t before = totals_of_reclaim().bytes;
    run_shrinkers();
    drain_all_threads();
    discard_all_holes();
    const std::size_t windows = release_windows(0);
    for_each_zone([keep](zone& z) {
        if (type_of_zone(z.number()) == zone_type::movable)
            return; // always there: that is what it is for
        reclaim_pages(z, true, keep);
        reclaim_pages(z, false, keep);
    });
    return windows != 0 || totals_of_reclaim().bytes != before;
}

constinit class_requests requests[nr_classes];

bool counts_calls()
{
    return param.count_requests != 0 || (param.report != 0 && param.report_format == 0);
}

call_counts counted_calls()
{
    constexpr auto relaxed = std::memory_order_relaxed;
    return {calls.malloc.load(relaxed), calls.calloc.load(relaxed), calls.realloc.load(relaxed),
            calls.aligned.load(relaxed), calls.free.load(relaxed)};
}

} // namespace bsl::heap
