/*
 * realloc: an object stays where it is as long as it fits well; then it is given pages or gives some up where
 * it is; and only then its bytes move, or, where they are many, its frames.
 *
 *     size after            what grows                                what shrinks below half
 *     up to 16 KiB          copied, with an eighth to spare           copied
 *     up to 4 MiB           pages behind it, if they are free;        gives its last pages back;
 *                           else copied to where there are some,      copied below 16 KiB
 *                           from 256 KiB on frames move into a
 *                           window
 *     above                 frames move into a window                 the same
 *
 * So what grows large has a slab of its own early, and one that has shrunk keeps it: it may have any number
 * of pages, and belongs to the smallest cache of such objects then.
 */
#include "arena/class_map.hpp"
#include "heap/calls.hpp"
#include "heap/early.hpp"
#include "heap/heap.hpp"
#include "heap/paths.hpp"
#include "heap/private_heap.hpp"
#include "heap/windows.hpp"
#include "slab/debug.hpp"
#include "vmalloc/vmalloc.hpp"

#include <cstring>

namespace bsl::heap
{

namespace
{

/// Is each call to be counted, or each free of this class to be checked?
bool is_looked_at(unsigned size_class)
{
    return counts_calls() || is_checked(size_class);
}

/// Which cache an object with a slab of its own belongs to.
const kmem_cache& single_cache_for(std::size_t size)
{
    return kmalloc_cache(size <= slab_size_max ? nr_slab_classes : class_of(size));
}

/// What has grown large will grow again: whole pages, with a quarter to spare.
std::size_t room_to_grow(std::size_t size)
{
    const std::size_t room = round_up(size + size / 4, bytes_per_page);
    return room < kmalloc_size_max ? room : kmalloc_size_max;
}

/// How much to ask for, up to grow_by_pages_from: with an eighth to spare an object is copied log(n) times, not n
/// times.
std::size_t with_spare(std::size_t size, std::size_t old_size)
{
    const std::size_t roomy = old_size + old_size / 8;
    return size < roomy ? roomy : size;
}

/// A new place for an object of `old_size` bytes.
void* alloc_instead(std::size_t old_size, std::size_t size)
{
    bool zeros = false;
    if (size <= old_size)
        return allocate(size, zeros);
    if (size > grow_by_pages_from && size <= kmalloc_size_max) {
        const std::size_t room = room_to_grow(size);
        return alloc_large(single_cache_for(room), {room >> page_shift, run_fit::roomy}, zeros);
    }
    return allocate(with_spare(size, old_size), zeros);
}

/// Copies an object to a new place; `p` itself where it shrinks and there is no memory, nullptr where it grows.
void* copy(void* p, std::size_t old_size, std::size_t size)
{
    void* fresh = alloc_instead(old_size, size);
    if (fresh == nullptr)
        return size > old_size ? out_of_memory() : p;
    return std::memcpy(fresh, p, size < old_size ? size : old_size);
}

/// Can the object become so large, or so small, where it is?
bool resize_in_place(const allocation& old, std::size_t size)
{
    const kmem_cache& from = kmalloc_cache(old.size_class);
    if (!from.is_single() || size <= grow_by_pages_from)
        return false;
    const auto resize_to = [&](std::size_t room) {
        return from.resize_single(*old.head, single_cache_for(room), room >> page_shift);
    };
    // Under the thread's lock, so that a fork does not meet the books half changed.
    thread_heap* mine = this_thread.heap;
    mutex_guard guard(mine != nullptr ? mine->lock : direct_lock);
    return (size > old.size && resize_to(room_to_grow(size))) ||
           resize_to(round_up(size, bytes_per_page));
}

/// A large object that outgrows its place: its frames move into a window, its bytes do not.
void* move_into_window(void* p, const allocation& old, std::size_t size)
{
    if (old.size < move_frames_from)
        return nullptr;
    void* window = vmalloc_from_run(static_cast<char*>(p), old.size, size);
    if (window != nullptr)
        kmalloc_cache(old.size_class).disown_single(*old.head);
    return window;
}

/// Without touching a byte: the object's new address, or nullptr.
void* resize(void* p, const allocation& old, std::size_t size)
{
    if (old.kind == allocation_kind::window) {
        if (size < move_frames_from || !drop_guard(*old.window))
            return nullptr;
        return vrealloc(*old.window, size);
    }
    if (old.kind != allocation_kind::object)
        return nullptr;
    if (size <= kmalloc_size_max && resize_in_place(old, size))
        return p;
    return size > old.size ? move_into_window(p, old, size) : nullptr;
}

/// From a class with many objects a slab, where nothing of the new size is at hand.
[[gnu::noinline]] void* move_small(void* p, std::size_t size, std::size_t old_size)
{
    void* fresh = copy(p, old_size, size);
    if (fresh != nullptr && fresh != p)
        free(p);
    return fresh;
}

/// Between classes with many objects a slab: hits all the way.
[[gnu::noinline]] void* realloc_small(void* p, std::size_t size, std::size_t old_size)
{
    const bool grows = size > old_size;
    const std::size_t wanted = grows ? with_spare(size, old_size) : size;
    void* fresh = nullptr;
    if (!grows || wanted <= grow_by_pages_from) [[likely]]
        fresh = this_thread.bins->of_class[class_of(wanted)].pop();
    if (fresh == nullptr) [[unlikely]]
        return move_small(p, size, old_size);
    std::memcpy(fresh, p, grows ? old_size : size);
    free(p);
    return fresh;
}

[[gnu::noinline]] void* realloc_any(void* p, std::size_t size, const char* call)
{
    if (this_thread.bins == nullptr && is_early()) [[unlikely]]
        return early_realloc(p, size);
    count(calls.realloc, size);
    if (p == nullptr) { // and calls are counted: see realloc_slow()
        bool zeros = false;
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
    if (size > PTRDIFF_MAX - pageblock_size)
        return out_of_memory();
    if (void* resized = resize(p, old, size))
        return resized;
    void* fresh = copy(p, old.size, size);
    if (fresh != nullptr && fresh != p)
        free_allocation(p, old, call);
    return fresh;
}

/// Many programs and languages allocate by realloc(nullptr, size), and what is large and grows step by step mostly has
/// room for the step.
[[gnu::noinline]] void* realloc_slow(void* p, std::size_t size, const char* call)
{
    if (p == nullptr && !counts_calls())
        return malloc(size);
    page* single = single_object_at(p);
    if (single == nullptr || !fits_well(size, single_pages(*single) << page_shift) ||
        is_free(*single) || counts_calls())
        return realloc_any(p, size, call);
    return p;
}

} // namespace

void* realloc(void* p, std::size_t size, const char* call) noexcept
{
    const unsigned size_class = page_classes.lookup(p);
    if (!is_malloc_class(size_class) || size - 1 >= slab_size_max || is_looked_at(size_class))
        [[unlikely]]
        return realloc_slow(p, size, call);
    const std::size_t old_size = class_size(size_class);
    return fits_well(size, old_size) ? p : realloc_small(p, size, old_size);
}

} // namespace bsl::heap
