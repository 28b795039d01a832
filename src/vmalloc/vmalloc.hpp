#pragma once

/// Memory above the largest block: windows, and the cache of freed ones.
///
/// A request is served by the first of these that can:
///
///     1. a cached window that fits, frames in place                       no system call
///     2. a smaller cached window, made larger                             one or two
///     3. a new window, filled with free resident blocks of the zone       one per block (lending.hpp)
///     4. a new window of fresh memory
///     5. adjacent free pageblocks of the arenas, in place                 where the system refuses
///
/// vfree() puts the window into the cache, which is bounded by param.window_cache; the oldest windows
/// leave it first.  What leaves it goes home or to the system.  Of a window that an object has grown into
/// (vmalloc_from_run()) and that is no larger than the largest object, the object's frames go home at once; the
/// rest stays in the cache for the next such object.
///
/// Lock: vmalloc_lock guards the lists, the counts and every window's state.  A thread that needs a
/// window for itself makes its state busy, releases the lock, works, and takes the lock again to
/// publish: no system call is made under it.
///
/// Memory order: the fields of a new window are written before its slots of the section table, with
/// release; owner_of() acquires.  All later changes are seen by way of vmalloc_lock, or by whatever way
/// the program handed the pointer from thread to thread.
///
/// Fork: a window that some other thread is making, changing or taking down at that moment is busy in
/// the child for ever, and lost to it: its addresses, its frames, and the blocks that were lent to it.
/// Nothing in the child refers to it but the section table.

#include "buddy/zone.hpp"
#include "locking/mutex.hpp"
#include "vmalloc/vm_area.hpp"

#include <atomic>
#include <cstddef>

namespace bsl
{

extern constinit mutex vmalloc_lock;

/// Held by the thread that moves frames under live windows (exchange.hpp), across system calls.  Whoever
/// wants such a window for something else waits for it.
extern constinit mutex moving_lock;

extern constinit list_head live_windows BSL_TSA(guarded_by(vmalloc_lock));

/// At least `size` bytes, whole pages, at a multiple of `alignment` (a power of two) and of a page.
/// nullptr when out of memory.  Any thread; no lock may be held.
void* vmalloc(std::size_t size, std::size_t alignment, bool zeroed);

enum class vfree_result
{
    freed,
    not_start,    ///< p is not what vmalloc() returned; nothing happened
    already_free, ///< the window is not live; nothing happened
};

/// Frees the window if p is its start.  Of two calls for one window exactly one gets `freed`.
vfree_result vfree(vm_area& area, void* p);

/// What vfree() would say of p, without doing it.
vfree_result vfree_check(const vm_area& area, const void* p);

/// Changes the size of a live window; its start may change, its contents are moved, not copied.
/// nullptr: refused, the window is as it was.
void* vrealloc(vm_area& area, std::size_t new_size);

/// Makes a live window no larger than `size` bytes, whole pages, where vrealloc() would leave it as it is for
/// a few.  False: the system keeps the memory behind.
bool vshrink(vm_area& area, std::size_t size);

/// A window of `new_size` bytes with the contents of the run of pages [run, run + old_size), which lies
/// in one pageblock.  nullptr: refused, nothing has changed.  Otherwise the caller gives up the run: it
/// makes its struct pages those of free pages, but does not free them; that is done when the window's
/// frames have come home.
void* vmalloc_from_run(char* run, std::size_t old_size, std::size_t new_size);

/// Usable bytes of a live window.
inline std::size_t usable_size(const vm_area& area)
{
    return area.size;
}

/// Evicts cached windows, the oldest first, until at most `keep_bytes` are cached.  Returns how many
/// bytes left the cache; frames with a home are in the zone then, the rest is the system's.
std::size_t release_windows(std::size_t keep_bytes);

/// Called once per decay interval: what the cache did not serve anybody with leaves it.
void age_windows();

/// Pages that the heap may use before cached windows go; SIZE_MAX: none is cached.  Written under vmalloc_lock, and
/// read relaxed: who is late asks again in his next slow path.
extern constinit std::atomic<std::size_t> windows_stay_up_to;

/// Called on the way of slow paths: the cache is there to save page faults, but where the heap itself grows by
/// half of it without a window of it being used again, it has cost as many, and goes.  Inline, since each slow path
/// asks, and vmalloc.cpp lies apart (decision 0025).
inline void let_windows_give_way()
{
    const std::size_t most = windows_stay_up_to.load(std::memory_order_relaxed);
    if (zone_normal.counts().nr_used() > most) [[unlikely]]
        release_windows(0);
}

struct vmalloc_counts
{
    std::size_t made;     ///< windows made new, since the start
    std::size_t stitched; ///< of these, with frames that were resident already
    std::size_t reused;   ///< requests served from the cache
    std::size_t moved;    ///< times a window grew by moving its page tables
    std::size_t in_place; ///< requests served by adjacent pageblocks
    std::size_t live;     ///< windows now
    std::size_t cached;
    std::size_t live_bytes;
    std::size_t cached_bytes;
    std::size_t peak_live_bytes; ///< the most that was ever live
    std::size_t peak_bytes;      ///< the most that was ever live or cached
    std::size_t vmas;            ///< of live and cached windows, at most
    std::size_t returned_bytes;  ///< given back to the system by eviction
    std::size_t returned_calls;
};
vmalloc_counts counts_of_vmalloc();

/// Calls fn(argument, area) for every live and cached window, with vmalloc_lock held.
void for_each_window(void (*fn)(void* argument, const vm_area& area), void* argument);

void validate_windows();

/// Where they lie, for readers of this process's memory (heap/root.hpp).
extern const vmalloc_counts* const vmalloc_counts_at;

} // namespace bsl
