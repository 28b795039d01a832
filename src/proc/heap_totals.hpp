#pragma once

/// Where the heap's memory is: every sum that a report is made of.
///
///     mapped    = arenas + tables + windows
///     arenas    = pages in use + free pages, resident or clean
///     pages in use = slabs of malloc's classes + slabs of the allocator's own caches + runs
///     objects of a cache = in use by the program + cached in sheaves + free in slabs
///
/// Objects are those of malloc's classes and of the program's caches.
///
/// The sums are exact while the heap is at rest.  Otherwise they are as consistent as counters can be
/// that are read one after the other, each under its own lock: off by what other threads did meanwhile,
/// but never negative.

#include "buddy/zone_table.hpp"

#include <cstddef>

namespace bsl
{

/// Objects of one size class.
struct class_totals
{
    std::size_t nr_slabs;
    std::size_t nr_pages;  ///< of all slabs
    std::size_t nr_in_use; ///< by the program
    std::size_t nr_cached; ///< in sheaves of threads and barns
    std::size_t nr_free;   ///< in slabs
    std::size_t in_use_bytes;
    std::size_t cached_bytes;
};

/// Objects that the program does not have, in sheaves and slabs.
struct kept_objects
{
    std::size_t nr;
    std::size_t bytes;
};

struct heap_totals
{
    class_totals of_class[nr_classes];
    /// Of malloc's classes and of program caches, by the class that objects of their size belong to.
    kept_objects kept_of_size[nr_classes];

    // --- mapped from the system, in bytes
    std::size_t arena_bytes;  ///< without what was given back, and what was lent to windows
    std::size_t table_bytes;  ///< struct pages, pageblocks, and other tables
    std::size_t window_bytes; ///< live and cached
    std::size_t peak_mapped;  ///< most that was mapped at once, or a little more

    // --- pages of the arenas
    std::size_t nr_pages_in_use;
    std::size_t nr_pages_free_resident; ///< threads' page lists included
    std::size_t nr_pages_free_clean;
    std::size_t nr_pages_reserve; ///< kept for callers that can bear nothing
    std::size_t nr_pages_own;     ///< slabs of the allocator's own objects, among those in use

    // --- in use by the program, in bytes: what it got, after rounding
    std::size_t nr_slabs;
    std::size_t nr_objects;
    std::size_t object_bytes;
    std::size_t run_bytes; ///< whole pages that no class serves: large alignments, adjacent blocks
    std::size_t nr_windows;
    std::size_t live_window_bytes;
    /// The peak of pages in use plus the peak of windows: what was in use at once, or more, if the two
    /// peaks were at different times or frames of free pages were lent to windows.
    std::size_t peak_in_use;

    // --- kept for reuse, in bytes
    std::size_t nr_cached;
    std::size_t cached_bytes; ///< objects in sheaves
    std::size_t nr_free;
    std::size_t free_bytes;          ///< objects in slabs
    std::size_t cached_window_bytes; ///< freed windows, frames in place

    // --- since the start
    std::size_t nr_windows_made;
    std::size_t nr_windows_stitched; ///< of these, with frames that were resident already
    std::size_t returned_bytes;      ///< to the system
    std::size_t returned_calls;

    std::size_t mapped() const { return arena_bytes + table_bytes + window_bytes; }
    std::size_t in_use() const { return object_bytes + run_bytes + live_window_bytes; }
};

/// Adds everything up.  Any thread, with no lock held; walks all threads' caches.
heap_totals totals_of_heap();

/// One zone, in bytes: mapped = used + free_resident + free_clean, if no thread works meanwhile; otherwise
/// they are off by what threads did, but never negative.
struct zone_totals
{
    std::uint8_t number;
    std::size_t mapped;
    std::size_t used;
    std::size_t free_resident;
    std::size_t free_clean;
    std::size_t free_blocks[nr_page_orders];
};

/// The zone of an index among those that there are, in the order of the kernel's files.  False: none.
bool totals_of_zone(unsigned index, zone_totals& to);

} // namespace bsl
