#pragma once

/// Holes: free pages inside slabs that are partly used.
///
///     slab    | ## # | .... | ..## | .... | .... | #  . |      # object in use, . free
///                       hole            holes
///
/// A free object holds nothing of ours, so that a page with free objects only can be given back to the
/// system; its addresses stay the slab's, and the next refill that reaches it finds zeros.
///
/// A slab whose holes were taken is settled until an object of it is taken or comes back.  Settled slabs stand
/// behind all others of their list, so that a look begins at the front and ends at the first of them: what looks
/// cost is in proportion to what was freed since, and not to the heap.
///
/// While a hole is on its way its objects are marked as in use: nobody can take them, and a flush into
/// the same slab goes on as ever.  The madvise itself runs without a lock.  (The child of a fork that
/// happens just then loses the batch: at most hole_batch::size stretches of free objects.)

#include "slab/slab.hpp"

namespace bsl
{

/// Free objects [first, first + count) that cover `pages` whole pages from `start`.
struct slab_hole
{
    const kmem_cache* cache;
    kmem_cache_node* home;
    page* head;
    char* start;
    std::size_t pages;
    unsigned first;
    unsigned count;
};

/// Holes of whatever caches and shards: the fewer calls, the fewer interruptions of other processors, whose
/// translations of these addresses each call ends.
struct hole_batch
{
    static constexpr unsigned size = 64;

    bool has_room_for_slab() const { return nr + pages_per_slab_max / 2 <= size; }

    slab_hole holes[size];
    unsigned nr = 0;
};

/// Holes of all caches.  No lock may be held.
void discard_all_holes();

/// Keeps the free memory inside partly used slabs from growing by more than dirty_max over what could
/// not be given back the last time.  Called now and then; no lock may be held.
void balance_holes();

} // namespace bsl
