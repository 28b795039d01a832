#pragma once

/// Running out of pages, and keeping within the bounds.
///
/// Everything below `heap` allocates under locks and answers nullptr when the zone has no pages.  Only
/// here, with no lock held, is something done about it (make_room()):
///
///     orphans' caches > a new arena > smaller slabs, other nodes
///                     > everybody's caches and cached windows > a new arena
///                     > the program's shrinkers > ENOMEM
///
/// so that what was freed in one size serves every other size before malloc fails.  Shrinkers are asked for
/// more and more, until malloc's zones are above their high watermarks (buddy/watermark.hpp).  As long as
/// the system refuses memory, the same happens on the way of any slow path once a zone is below its low
/// one: once an interval (decay_ms), if it is in vain.

#include "heap/thread_heap.hpp"

namespace bsl::heap
{

/// Makes it worth trying again after the zone had no pages.  False: the system has no more.
bool make_room();

/// The same for one zone and no other, after it could not grow.
bool make_room_in(zone& of);

/// Calls attempt() until it yields memory or there is none to be had.
template <typename Attempt>
auto with_room(Attempt attempt)
{
    constexpr unsigned attempts_max = 5;
    for (unsigned i = 0; i < attempts_max; ++i) {
        if (auto* p = attempt())
            return p;
        if (!make_room())
            break;
    }
    return decltype(attempt())(nullptr);
}

/// Called on the way of every slow path, with no lock held.  After pages or objects were taken, what is idle gives way
/// to growth; after they became free, free memory is kept within its bounds.  Where nothing moved but sheaves of the
/// thread's own, only the clock is looked at.
void keep_balance_after_alloc(thread_heap* mine, bool has_moved = true);
void keep_balance_after_free(thread_heap* mine, bool has_moved = true);

} // namespace bsl::heap
