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
/// What a window lacks after 2, 3 or 4 is filled with the frames of other cached windows, one call for each piece
/// (window_lists.hpp), but not for those who ask for zeros.
///
/// vfree() puts the window into the cache.  Of a window that an object has grown into (vmalloc_from_run()) and that
/// is no larger than the largest object, the object's frames go home at once; the rest stays in the cache for the
/// next such object.
///
/// Lock: vmalloc_lock, under which no system call is made (window_lists.hpp).
///
/// Memory order: the fields of a new window are written before its slots of the section table, with
/// release; owner_of() acquires.  All later changes are seen by way of vmalloc_lock, or by whatever way
/// the program handed the pointer from thread to thread.
///
/// Fork: a window that some other thread is making, changing or taking down at that moment is busy in
/// the child for ever, and lost to it: its addresses, its frames, and the blocks that were lent to it.
/// Nothing in the child refers to it but the section table.

#include "locking/mutex.hpp"
#include "vmalloc/vm_area.hpp"
#include "vmalloc/window_lists.hpp"

#include <cstddef>

namespace bsl
{

/// Held by the thread that moves frames under live windows (exchange.hpp), across system calls.  Whoever
/// wants such a window for something else waits for it.
extern constinit mutex moving_lock;

/// At least `size` bytes, whole pages, at a multiple of `alignment` (a power of two) and of a page.
/// nullptr when out of memory.  Any thread; no lock may be held.
void* vmalloc(std::size_t size, std::size_t alignment, bool zeroed);

enum class vfree_result
{
    freed,
    kept,         ///< freed; its frames stay where they are, in the cache
    not_start,    ///< p is not what vmalloc() returned; nothing happened
    already_free, ///< the window is not live; nothing happened
};

/// Frees the window if p is its start.  Of two calls for one window exactly one gets `freed` or `kept`.
vfree_result vfree(vm_area& area, void* p);

constexpr bool is_freed(vfree_result result)
{
    return result == vfree_result::freed || result == vfree_result::kept;
}

/// What vfree() would say of p, without doing it; `freed` for either.
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

} // namespace bsl
