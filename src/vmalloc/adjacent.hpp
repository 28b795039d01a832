#pragma once

/// Requests above a pageblock, served inside the arenas: for systems that refuse more addresses.
///
/// Such a run is pageblocks that follow each other, wholly free before; its first struct page says
/// `run`, and nr_run_pages is more than a pageblock has.  The tail behind it is free again.

#include "vmalloc/vmalloc.hpp"

namespace bsl
{

/// A run of `size` bytes, whole pages; nullptr where the arenas have no such neighbours, or for
/// alignments above a pageblock's.  No lock may be held.
char* alloc_adjacent(std::size_t size, std::size_t alignment, bool zeroed);

/// Frees a run of alloc_adjacent(); its first struct page says whether there is one at `start`.  Of two
/// calls exactly one gets `freed`.  No lock may be held.
vfree_result free_adjacent(char* start);

} // namespace bsl
