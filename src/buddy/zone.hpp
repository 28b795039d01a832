#pragma once

/// A zone: the pageblocks of one kind of memory, and the choice among them.
///
/// Every pageblock runs its own buddy system (free_area.hpp).  The zone keeps pageblocks in lists by
/// the order of their largest free block, once for resident and once for clean blocks, and by
/// migrate type.  A request takes
///
///     resident exact > resident split > clean exact > clean split > a pageblock brought online
///
/// because a page fault costs as much as hundreds of allocations.  Within that, the pageblock with
/// the smallest sufficient block is the fullest one, roughly: full pageblocks fill up, sparse ones
/// drain and become free as wholes, which is what huge pages and windows are made of.
///
/// Lock: zone::lock guards everything in the zone and the buddy fields of its pageblocks.

#include "arena/arena.hpp"
#include "base/counter.hpp"
#include "base/cpu.hpp"
#include "buddy/free_area.hpp"
#include "locking/mutex.hpp"

#include <atomic>
#include <cstddef>

namespace bsl
{

/// Free pages of a zone by what they cost to keep.
struct zone_counts
{
    counter<std::size_t> nr_online;      ///< pageblocks
    counter<std::size_t> nr_free;        ///< free pages
    counter<std::size_t> nr_dirty_small; ///< free resident pages between slabs
    counter<std::size_t> nr_dirty_large; ///< free resident pages in all other pageblocks
    counter<std::size_t> nr_used_peak;   ///< most pages that were ever handed out at once
    counter<std::size_t> nr_taken_again; ///< pages handed out soon after they were given back, ever
    counter<std::size_t> nr_splits;      ///< blocks larger than asked that were split

    /// Pages handed out; without the zone's lock a guess, since the two change one after the other.
    std::size_t nr_used() const
    {
        const std::size_t all = nr_online * pages_per_pageblock;
        const std::size_t free = nr_free;
        return all > free ? all - free : 0;
    }
};

/// What has been learnt of giving one kind of free pages back (reclaim.cpp).  Guesses: threads may
/// overwrite each other's.
struct regret
{
    std::atomic<std::size_t> extra{0}; ///< bytes that the bound is raised by
    /// Pages given back since the interval began, and not taken again.
    std::atomic<std::size_t> given{0};
    std::atomic<bool> was_used{false}; ///< has the bound been reached since the interval began?
};

/// Where a run of pages is to lie among free ones.
enum class run_fit
{
    tight, ///< where it leaves the least
    roomy, ///< if possible, where it can grow to double its size (extend_run())
};

class zone
{
public:
    constexpr zone() = default;
    explicit constexpr zone(std::uint8_t number) : number_(number) {}

    mutex lock{lock_rank::zone};
    list_head isolated BSL_TSA(guarded_by(lock)); ///< batches of blocks on their way to the system

    /// Read on the way of each slow path, and so not beside the lock.
    alignas(cache_line_size) regret regrets[2]; ///< of pages between slabs, of all others
    std::atomic<std::size_t> taken_before{0};   ///< pages taken again up to the last look

    std::uint8_t number() const { return number_; }

    /// First byte of a free block of 2^order pages, aligned to its size; nullptr when no pageblock
    /// has one and the arenas have no further pageblock.
    char* alloc_block(unsigned order, migrate_type type) BSL_TSA(requires_capability(lock));

    /// The largest order from `least` to `most` of which there is a block that holds memory; `most` if there
    /// is none of them.
    unsigned resident_order(unsigned least, unsigned most) BSL_TSA(requires_capability(lock));

    /// Any `pages` pages of one pageblock that follow each other, wherever they start: where they need
    /// the fewest page faults and fit best.
    char* alloc_run(std::size_t pages, run_fit fit) BSL_TSA(requires_capability(lock));

    /// As alloc_block(), but keeps only the first `pages` pages of the block; the others are free again.
    char* alloc_pages_exact(std::size_t pages, unsigned order, migrate_type type)
        BSL_TSA(requires_capability(lock));

    /// Gives a block back.  Which of its pages may hold memory stands in pageblock::dirty.
    void free_block(char* start, unsigned order) BSL_TSA(requires_capability(lock));

    /// Gives back any run of pages inside one pageblock, as the fewest aligned blocks.
    void free_run(char* start, std::size_t pages) BSL_TSA(requires_capability(lock));

    /// Takes a pageblock that bring_online() gave; all of it is free then.
    void add_block(pageblock& block) BSL_TSA(requires_capability(lock));

    /// Takes the pages [start, start + pages), all of one pageblock, if they are free: to make what
    /// lies before them larger, or because they are wanted and no others.
    bool extend_run(char* start, std::size_t pages) BSL_TSA(requires_capability(lock));

    /// Takes `nr` wholly free pageblocks that follow each other in memory; nullptr if there are
    /// none.  Scans every pageblock: for requests that would otherwise fail.
    char* alloc_adjacent_blocks(std::size_t nr) BSL_TSA(requires_capability(lock));

    /// Takes a resident free block of pageblocks of one type: of the largest order, at least `min_order`,
    /// and of what was used longest ago.  nullptr when there is none.
    char* take_resident(migrate_type type, unsigned min_order, unsigned& order)
        BSL_TSA(requires_capability(lock));

    /// Takes a wholly free pageblock out of the zone for good; nullptr when there is none.
    pageblock* release_block() BSL_TSA(requires_capability(lock));

    /// Ends an interval of ageing.  Tells the fewest free resident pages in it, between slabs and
    /// elsewhere: what was not needed.
    void end_interval(std::size_t& small, std::size_t& large) BSL_TSA(requires_capability(lock));

    /// Pages of this run, which is not free just now, were given back to the system: should they be taken
    /// again within the interval, nr_taken_again counts them.
    void note_given(char* start, std::size_t pages) BSL_TSA(requires_capability(lock));

    /// Pages of this run, which are in use and without memory, get some now: as if they were taken.
    void note_filled(char* start, std::size_t pages) BSL_TSA(requires_capability(lock));

    /// A snapshot that may be torn between fields; for decisions and reports.
    const zone_counts& counts() const { return counts_; }

    /// Free blocks of one order, for reports.
    std::size_t nr_free_blocks(unsigned order, residency kind) BSL_TSA(requires_capability(lock));

    void validate() BSL_TSA(requires_capability(lock));

private:
    using pageblock_lists = list_head[nr_residencies][nr_page_orders];

    template <typename Accept>
    pageblock* fullest(unsigned order, residency kind, migrate_type type, Accept accept)
        BSL_TSA(requires_capability(lock));
    pageblock* choose(unsigned order, residency kind, migrate_type type)
        BSL_TSA(requires_capability(lock));
    pageblock* choose_for_run(unsigned pages, unsigned room, residency kind, migrate_type type,
                              unsigned& first) BSL_TSA(requires_capability(lock));
    char* take_run(pageblock& block, unsigned first, std::size_t pages)
        BSL_TSA(requires_capability(lock));
    char* take_from(pageblock& block, unsigned order, residency kind, migrate_type type)
        BSL_TSA(requires_capability(lock));
    char* try_types(unsigned order, residency kind, migrate_type type)
        BSL_TSA(requires_capability(lock));
    void count_again(pageblock& block, std::size_t pages) BSL_TSA(requires_capability(lock));
    void count_taken(pageblock& block, unsigned first, std::size_t pages)
        BSL_TSA(requires_capability(lock));
    void relink(pageblock& block) BSL_TSA(requires_capability(lock));
    void unlink(pageblock& block) BSL_TSA(requires_capability(lock));
    std::size_t handed_out_of(const arena& a) const BSL_TSA(requires_capability(lock));
    void account(const pageblock& block, bool add) BSL_TSA(requires_capability(lock));

    const std::uint8_t number_ = malloc_zone; ///< whose arenas it lives on
    alignas(cache_line_size) pageblock_lists lists_[nr_migrate_types] BSL_TSA(guarded_by(lock));
    zone_counts counts_{};
    std::uint16_t interval_ = 0; ///< it may wrap: a wrong guess does no harm
    std::size_t low_small_ = 0;
    std::size_t low_large_ = 0;
};

/// The zone that malloc lives on.
extern constinit zone zone_normal;

} // namespace bsl
