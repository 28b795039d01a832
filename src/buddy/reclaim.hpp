#pragma once

/// Free memory back to the system.
///
/// Free pages that hold memory are kept for reuse, since a page fault costs more than anything else
/// here, but not without bound:
///
///     by size   pageblocks of slabs keep at most dirty_max, all others dirty_large_max; what is freed
///               above that goes back at once
///     by age    pages that were not needed for decay_ms go back: of each interval the low-water mark,
///               the pages that lay free during all of it (Bonwick's working-set estimate)
///
/// The bounds adapt.  What was given back and is taken again within an interval should have been kept: it
/// costs a page fault each.  The bound rises by as much, within extra_bound and extra_bound_part,
/// and what it rose by halves with each interval that had no need of it.
///
/// Large blocks go first: one system call each.  A block on its way is in nobody's free map:
/// its batch is linked in a list, so that the child of a fork finds it again.

#include "buddy/zone.hpp"
#include "host/vm.hpp"

#include <atomic>

namespace bsl
{

/// Gives free resident pages between slabs, or all others (`large`), back until at most `keep` bytes of
/// that kind are left.  Returns the bytes given back.  No lock may be held.
std::size_t reclaim_pages(zone& from, bool large, std::size_t keep);

/// Bytes of free resident memory of that kind that may be kept just now.
std::size_t bound_now(const zone& of, bool large);

/// Is so much of that kind more than may be kept, even after a look at what was given back and taken again?
bool exceeds_bound(zone& of, bool large, std::size_t bytes);

/// Keeps the zone within its bounds.  Cheap when there is nothing to do; no lock may be held.
void balance(zone& of);

/// As balance(), and lets memory age; called now and then.  True when an interval of decay_ms ended.
bool age(zone& of);

/// An interval has ended: the same for malloc's zone on another node.
void end_interval(zone& of);

/// The same for a zone that malloc does not live on: its bounds are the parameters', and nothing is learnt.
/// age_other() is called when an interval has ended.
void balance_other(zone& of);
void age_other(zone& of);

/// In the child of a fork: takes back what other threads were giving back.
void adopt_isolated_pages(zone& of);

/// Since the start: bytes given back, and the calls it took.
struct reclaim_totals
{
    std::size_t bytes;
    std::size_t calls;
};
reclaim_totals totals_of_reclaim();

/// Pages on their way back to the system, whose owner is the caller meanwhile: many pieces in few calls.
class discard_batch
{
public:
    /// Notes the resident ones of these pages.
    void add(char* start, std::size_t pages);
    /// Gives back what was noted, and marks it clean.
    void run();

private:
    static constexpr unsigned nr_ranges_max = 64;
    host::range ranges_[nr_ranges_max];
    unsigned nr_ranges_ = 0;
};

/// Where they lie, for readers of this process's memory (heap/root.hpp).
struct reclaim_state
{
    const std::atomic<std::size_t>* bytes;
    const std::atomic<std::size_t>* calls;
};
extern const reclaim_state state_of_reclaim;

} // namespace bsl
