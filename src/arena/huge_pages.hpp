#pragma once

/// Transparent huge pages: for pageblocks of slabs, once the heap is large, and for large windows; while these are
/// quicker than single pages.
///
/// A page fault costs more than all else that an allocator does, and a huge page is one fault for 512 pages. But
/// all of it is resident from then on. So huge pages are asked for where all of it will be used: in a pageblock
/// that slabs begin to fill when no page of it holds memory, in a zone of huge_pages_from bytes or more. Slabs are
/// cut from the fullest pageblock that has room, so that one or two are partly filled at any time, however large
/// the heap. Runs of pages leave gaps for good, and get none.
///
/// A virtual machine whose host has not backed a huge page yet waits for that, milliseconds, while single pages
/// come from what was used before. So both are timed where slabs open pages, and the quicker is asked for; of a window
/// the first huge page is timed.
///
///     none -> due      the zone, with its lock held (zone::take_from)
///     due -> given     whoever opens the first page, with no lock held
///     due -> none      the same, while huge pages do not pay
///     given -> ended   whoever is about to give single pages back: the kernel must not fill the holes again
///                      with zeros (khugepaged), which it otherwise does some time later; and who finds the
///                      block's first huge page slow
///     any -> none      whoever gives back all of it, and holds it
///
/// Each step is taken by one thread, which makes the call; two threads' calls may cross, which costs a few
/// faults.  A pageblock that is added is at none.
///
/// What slabs never opened of a huge page is resident, and counted as clean, until the pageblock is wholly free:
/// from then on all of it is dirty, and goes back together (zone::free_run).

#include "arena/page.hpp"
#include "config/limits.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace bsl
{

/// What pages took of late, and which kind is quicker by that.  Threads' notes may overwrite each other's: an average
/// that has lost one is as good.
class page_costs
{
public:
    /// So many nanoseconds for so many single pages, opened in one call.
    void note_pages(std::size_t pages, std::uint64_t ns);

    /// So many for what should have been a huge page.  Where it was too quick for one, the kernel had none to give.
    void note_huge(std::uint64_t ns);

    /// Are huge pages worth what they took?  Yes, as long as none was timed.
    bool does_huge_pay() const;

    /// Is the next pageblock, or large window, to have them?  Also where they do not pay, once in huge_page_retry
    /// times.
    bool asks_for_huge();

private:
    std::atomic<std::uint64_t> ns_page_{page_ns_guess};
    std::atomic<std::uint64_t> ns_huge_{0}; ///< 0: not known
    std::atomic<unsigned> nr_refused_{0};
};

/// Of slabs and large windows.
extern page_costs costs_of_pages;

/// The slab pages from `start` on are in use from now on: faults them in, where there are several or a huge page is
/// due.  By the one who has an object of that slab to itself, so that the pages stay.  No lock may be held.
void open_pages(pageblock& block, char* start, std::size_t pages);

/// [start, start + size) of a large window holds no memory yet and is used from now on, and what is reserved behind it
/// perhaps later: asks for huge pages, while they pay.
void open_window(char* start, std::size_t size, std::size_t reserved);

/// Asks for no huge pages any more, where they were asked for: single pages are given back, or all.  No lock may be
/// held.
void end_huge_pages(pageblock& block, bool all);

/// May pages that count as clean be resident, as the rest of a huge page?  The pageblock is the caller's.
bool had_huge_pages(const pageblock& block);

} // namespace bsl
