#pragma once

/// Transparent huge pages: for pageblocks of slabs, once the heap is large.
///
/// A page fault costs more than all else that an allocator does, and a huge page is one fault for 512 pages. But
/// all of it is resident from then on. So huge pages are asked for where all of it will be used: in a pageblock
/// that slabs begin to fill when no page of it holds memory, in a zone of huge_pages_from bytes or more. Slabs are
/// cut from the fullest pageblock that has room, so that one or two are partly filled at any time, however large
/// the heap. Runs of pages leave gaps for good, and get none.
///
///     none -> due      the zone, with its lock held (zone::take_from)
///     due -> given     whoever opens the first page, with no lock held
///     given -> none    whoever is about to give single pages back: the kernel must not fill the holes again
///                      with zeros (khugepaged), which it otherwise does some time later
///
/// Each step is taken by one thread, which makes the call; two threads' calls may cross, which costs a few
/// faults.  A pageblock that is given back as a whole, and one that is added, is at none.

#include "arena/page.hpp"

namespace bsl
{

/// Asks the kernel for huge pages where that is due.  Were they asked for, by now?  No lock may be held.
bool ask_for_huge_pages(pageblock& block);

/// Asks for none any more, where they were asked for.  No lock may be held.
void end_huge_pages(pageblock& block);

} // namespace bsl
