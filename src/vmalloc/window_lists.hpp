#pragma once

/// The windows there are: those that the program has, and the cache of freed ones.
///
/// A window is in one of the two lists, or some thread has it for itself: busy.  That thread takes it out of its
/// list, releases the lock, works, and takes the lock again to put it into a list: no system call is made under it.
///
/// The cache is there to save page faults.  A cached window serves a request as it is or made larger (vmalloc.cpp),
/// or gives its frames to one that is being made (fill_from_cached()).  It is bounded by window_bound(); the
/// oldest windows leave it first, and their frames go home or to the system.
///
/// The bound adapts as those of the zones do (buddy/reclaim.hpp): what left the cache for it, and has to be faulted in
/// again within an interval, should have been kept.

#include "buddy/zone.hpp"
#include "locking/mutex.hpp"
#include "vmalloc/vm_area.hpp"

#include <atomic>
#include <cstddef>

namespace bsl
{

/// Guards the lists, the counts and every window's state.
extern constinit mutex vmalloc_lock;

extern constinit list_head live_windows BSL_TSA(guarded_by(vmalloc_lock));

/// The front was freed last.
extern constinit list_head cached_windows BSL_TSA(guarded_by(vmalloc_lock));

struct vmalloc_counts
{
    std::size_t made;     ///< windows made new, since the start
    std::size_t stitched; ///< of these, with frames that were resident already
    std::size_t reused;   ///< cached windows that served a request, or gave frames to one that did
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

extern constinit vmalloc_counts window_counts BSL_TSA(guarded_by(vmalloc_lock));

vmalloc_counts counts_of_vmalloc();

/// How many VMAs more windows may have.
std::size_t vmas_left();

// --- changes of the lists; the window is the caller's: busy ------------------------------------

void insert_live(vm_area& area) BSL_TSA(requires_capability(vmalloc_lock));
void remove_live(vm_area& area) BSL_TSA(requires_capability(vmalloc_lock));

/// A live window now has `bytes` more that are in use.
void note_growth(std::size_t bytes) BSL_TSA(requires_capability(vmalloc_lock));

void insert_cached(vm_area& area) BSL_TSA(requires_capability(vmalloc_lock));
void remove_cached(vm_area& area) BSL_TSA(requires_capability(vmalloc_lock));

/// Bytes of windows that may be cached just now: param.window_cache, and what has been learnt.
std::size_t window_bound() BSL_TSA(requires_capability(vmalloc_lock));

/// Into the cache, if it may stay there.  Is there too much in it now?
bool put_away(vm_area& area, bool keep) BSL_TSA(requires_capability(vmalloc_lock));

/// A window was made of which so much is to be faulted in.
void note_missing(std::size_t bytes) BSL_TSA(requires_capability(vmalloc_lock));

/// The largest cached window whose resident part is between the bounds and that `accept`s.
template <typename Accept>
vm_area* find_cached(std::size_t at_least, std::size_t at_most, Accept accept)
    BSL_TSA(requires_capability(vmalloc_lock))
{
    vm_area* best = nullptr;
    list_for_each<vm_area, &vm_area::link>(cached_windows, [&](vm_area& area) {
        if (area.size >= at_least && area.size <= at_most && accept(area) &&
            (best == nullptr || area.size > best->size))
            best = &area;
    });
    return best;
}

// --- what becomes of the cache; no lock may be held --------------------------------------------

/// Moves frames of cached windows, the oldest first, into [filled, area.size) of a window that is the caller's, as far
/// as there are any, and says how far that is.  False: the window can only be destroyed.
bool fill_from_cached(vm_area& area, std::size_t& filled);

/// Evicts all cached windows.  Returns how many bytes left the cache; frames with a home are in the zone then,
/// the rest is the system's.
std::size_t release_windows();

/// Evicts cached windows, the oldest first, until the cache is within its bound.
void keep_window_bound();

/// Called once per decay interval: what the cache did not serve anybody with leaves it.
void age_windows();

/// Pages that the heap may use before cached windows go; SIZE_MAX: none is cached.  Written under vmalloc_lock, and
/// read relaxed: who is late asks again in his next slow path.
extern constinit std::atomic<std::size_t> windows_stay_up_to;

/// Called on the way of slow paths: the cache is there to save page faults, but where the heap itself grows by
/// half of it without a window of it being used again, it has cost as many, and goes.  Inline, since each slow path
/// asks, and window_lists.cpp lies apart (decision 0025).
inline void let_windows_give_way()
{
    const std::size_t most = windows_stay_up_to.load(std::memory_order_relaxed);
    if (zone_normal.counts().nr_used() > most) [[unlikely]]
        release_windows();
}

/// Calls fn(argument, area) for every live and cached window, with vmalloc_lock held.
void for_each_window(void (*fn)(void* argument, const vm_area& area), void* argument);

void validate_windows();

/// Where they lie, for readers of this process's memory (heap/root.hpp).
extern const vmalloc_counts* const vmalloc_counts_at;

} // namespace bsl
