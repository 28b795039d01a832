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

/// What looking for memory has come to.
enum class room : unsigned char
{
    none, ///< there is no more to be had
    freed, ///< what was kept somewhere is free now: perhaps enough of it, in one piece, and still there
    grown ///< the system gave more than enough; others may take it first
};

/// Makes it worth trying again after the zone had no pages.  `vain`: how often what was freed did not do.
room make_room(unsigned vain);

/// The same for one zone and no other, after it could not grow.
room make_room_in(zone& of);

/// Calls attempt() until it yields memory or there is none to be had.  make(vain) makes room, as make_room()
/// does.  Others allocate and free all the time, so that more free pages than a moment ago say little: not many
/// times.  What the system gives is lost to others at worst, who get on by it: as often as it gives.
template <typename Attempt, typename Make = room (*)(unsigned)>
auto with_room(Attempt attempt, Make make = make_room)
{
    constexpr unsigned vain_max = 5;
    for (unsigned vain = 0;;) {
        auto* p = attempt();
        if (p != nullptr || vain == vain_max) [[likely]]
            return p;
        const room made = make(vain);
        if (made == room::none)
            return decltype(p)(nullptr);
        vain += made == room::freed;
    }
}

/// Called on the way of every slow path, with no lock held.  After pages or objects were taken, what is idle gives way
/// to growth; after they became free, free memory is kept within its bounds.  Where nothing moved but sheaves of the
/// thread's own, only the clock is looked at.
void keep_balance_after_alloc(thread_heap* mine, bool has_moved = true);
void keep_balance_after_free(thread_heap* mine, bool has_moved = true);

} // namespace bsl::heap
