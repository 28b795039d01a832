#pragma once

/// A barn: where threads exchange whole sheaves of one cache.
///
/// A thread that frees what another allocated brings full sheaves and takes empty ones away; the
/// other does the opposite.  They meet once per sheaf, for two pointer swaps under a lock.  Barns are
/// bounded: what they refuse goes back to the slabs.

#include "locking/mutex.hpp"
#include "slab/sheaf.hpp"

namespace bsl
{

class barn
{
public:
    mutex lock{lock_rank::barn};

    /// Takes a full sheaf and leaves `spare` (an empty one, or nullptr); nullptr, and spare not
    /// taken, when there is no full one.
    sheaf* exchange_for_full(sheaf*& spare);

    /// Leaves a full sheaf and takes an empty one, if there is one.  False when there is no room.
    bool put_full(sheaf& full, unsigned room, sheaf*& spare);

    /// Is there a full sheaf?  A hint, without the lock.
    bool has_full() const { return nr_full_.load(std::memory_order_relaxed) != 0; }

    /// Did nobody take a full sheaf since this was asked last, though there is one?
    bool is_idle();

    /// Takes any sheaf, full ones first; for emptying the barn.
    sheaf* take_any();

    /// Objects in all sheaves, for reports.
    std::size_t nr_objects();

private:
    friend struct look; // heap/root.hpp

    sheaf_stack full_ BSL_TSA(guarded_by(lock));
    sheaf_stack empty_ BSL_TSA(guarded_by(lock));
    std::atomic<unsigned> nr_full_{0}; ///< full_.size(), to be read without the lock
    bool was_used_ BSL_TSA(guarded_by(lock)) = false;
};

} // namespace bsl
