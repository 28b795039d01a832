#pragma once

/// Every number the allocator is built on.  What a user may turn at run time is in params.def.

#include "base/bitops.hpp"

#include <cstddef>
#include <cstdint>

namespace bsl
{

inline constexpr std::size_t kib = std::size_t{1} << 10;
inline constexpr std::size_t mib = std::size_t{1} << 20;
inline constexpr std::size_t gib = std::size_t{1} << 30;

// --- pages -------------------------------------------------------------------------------------

/// The logical page.  The kernel's own page may be larger (16K, 64K): memory is then given back in
/// its units, everything else stays.
inline constexpr unsigned page_shift = 12;
inline constexpr std::size_t bytes_per_page = std::size_t{1} << page_shift;

/// Orders of the buddy system: 0 … 10, 4 KiB … 4 MiB.
inline constexpr unsigned max_page_order = 10;
inline constexpr unsigned nr_page_orders = max_page_order + 1;

/// A pageblock is one block of the largest order; blocks never span two of them.
inline constexpr std::size_t pages_per_pageblock = std::size_t{1} << max_page_order;
inline constexpr std::size_t pageblock_size = pages_per_pageblock << page_shift;
inline constexpr unsigned pageblock_shift = page_shift + max_page_order;

// --- address space -----------------------------------------------------------------------------

/// User addresses end below this.
inline constexpr unsigned address_bits = sizeof(void*) == 8 ? 48 : 32;

/// A section is the unit of the sparse table that explains addresses.
inline constexpr unsigned section_shift = 30;
inline constexpr std::size_t nr_sections = std::size_t{1} << (address_bits - section_shift);
inline constexpr std::size_t pageblocks_per_section = std::size_t{1}
                                                      << (section_shift - pageblock_shift);

/// The stretch of addresses whose pages have a class byte: free() is fastest there.  Its map costs
/// 1/4096 of it in (untouched, read-only) address space: 64 MiB, what one arena of glibc reserves.
inline constexpr std::size_t class_window_max = 256 * gib;

/// Under RLIMIT_AS the map may take this part of the limit.
inline constexpr std::size_t class_map_limit_part = 256;

/// Arenas grow by this part of what is mapped already, within the bounds.
inline constexpr std::size_t arena_growth_part = 8;
inline constexpr std::size_t arena_size_min = pageblock_size;
inline constexpr std::size_t arena_size_max = 1 * gib;

// --- size classes ------------------------------------------------------------------------------

/// Steps of 16 bytes to 1 KiB: at most 15 bytes lost.  Then 8 steps per doubling: at most a ninth.
inline constexpr std::size_t malloc_alignment = 16;
inline constexpr std::size_t small_size_max = 1 * kib;
inline constexpr unsigned steps_per_doubling = 8;
inline constexpr std::size_t slab_size_max = 32 * kib; ///< above: a slab of one object
inline constexpr std::size_t kmalloc_size_max = pageblock_size;
/// What realloc makes larger than this gets a slab of its own, too, where it can grow on without being copied.
inline constexpr std::size_t grow_by_pages_from = 16 * kib;

inline constexpr unsigned nr_small_classes = small_size_max / malloc_alignment;
inline constexpr unsigned nr_doublings = ilog2(kmalloc_size_max) - ilog2(small_size_max);

/// Class 0 is "no small object": the dummy.
inline constexpr unsigned nr_classes = 1 + nr_small_classes + steps_per_doubling * nr_doublings;
static_assert(nr_classes <= 256, "a class must fit in a byte of the class map");

// --- slabs and sheaves -------------------------------------------------------------------------

inline constexpr unsigned slab_order_max = 5;

/// Pages of a slab that are faulted in ahead of need: a sixteenth of what the cache has, and no more.
inline constexpr std::size_t populate_part = 16;
inline constexpr std::size_t populate_max = 15;

/// What the kernel's huge page is taken to be: no processor clears one in less time. Where it took longer than its
/// pages would one by one, this many pageblocks do without before the next trial.
inline constexpr std::size_t pages_per_huge_page = 2 * mib / bytes_per_page;
inline constexpr std::uint64_t huge_page_ns_least = 10'000;
inline constexpr unsigned huge_page_retry = 32;

/// A single page, until some were timed.
inline constexpr std::uint64_t page_ns_guess = 1000;

/// Bytes of objects that one refill takes from a slab of which some pages hold no memory, but at least two objects.
inline constexpr std::size_t refill_bytes_max = 8 * kib;

/// A sheaf is one aligned 512-byte object: 3 words of header, 61 pointers.
inline constexpr std::size_t sheaf_size = 512;
inline constexpr unsigned sheaf_header_words = 3;
inline constexpr unsigned sheaf_capacity_max = sheaf_size / sizeof(void*) - sheaf_header_words;

/// Bytes of objects that one sheaf may hold, but so many objects at least: fewer are gone before their price is earned.
inline constexpr std::size_t sheaf_bytes_max = 32 * kib;
inline constexpr unsigned sheaf_objects_min = 8;

/// Full sheaves that a thread keeps besides those in its bins: of one class, and of all.
inline constexpr std::size_t thread_class_bytes_max = 256 * kib;
inline constexpr std::size_t thread_bytes_max = 512 * kib;
inline constexpr unsigned thread_class_sheaves_max = 128;

/// Empty sheaves that a thread keeps: what it hands out comes back, and wants them again.
inline constexpr std::size_t thread_spare_bytes_max = 64 * kib;
inline constexpr unsigned thread_spares_min = 4;

/// The sheaf in a thread's bin holds at least so much, however many threads there are.
inline constexpr std::size_t crowded_sheaf_bytes = 1 * kib;
inline constexpr unsigned crowded_sheaf_objects = 2;

/// From here on there are so many threads that most of them can only be waiting; in shares of what one
/// thread may keep.
inline constexpr std::size_t large_crowd = 32;

/// Objects above slab_size_max that a thread keeps, one of each class: so many bytes in all, or a single
/// larger one.
inline constexpr std::size_t thread_large_bytes_max = 1024 * kib;
inline constexpr std::size_t thread_largest_max = 4 * mib;

/// What a thread gives back to slabs between two looks at their holes: this part of what may be free in them, and at
/// least so much.
inline constexpr std::size_t look_at_holes_part = 8;
inline constexpr std::size_t look_at_holes_after = 256 * kib;

/// A barn (one class, one shard) keeps at most so much.
inline constexpr unsigned barn_full_max = 64;
inline constexpr unsigned barn_empty_max = 16;
inline constexpr std::size_t barn_bytes_max = 256 * kib;
static_assert(barn_bytes_max >= sheaf_objects_min * slab_size_max,
              "a barn has room for a sheaf of any class");

/// Full sheaves that nobody took give way when the most pages in use have risen by this part, and so many.
inline constexpr std::size_t idle_stays_part = 32;
inline constexpr std::size_t idle_stays_pages = 64;

/// Caches of the program whose bins lie beside those of malloc's classes, and whose pages the class map
/// knows: those with the lowest slots.
inline constexpr unsigned nr_near_caches = 64;

/// Shards of every cache, at most; one per processor below that.  A few more where each memory node is to
/// have equally many.
inline constexpr unsigned nr_plain_shards_max = 16;
inline constexpr unsigned nr_shards_max = 21;
static_assert(nr_shards_max <= 32, "a set of shards must fit in a word");

/// Before the loader has relocated the library, memory is mapped in multiples of this.
inline constexpr std::size_t early_chunk_size = 64 * kib;

/// Where `sysinfo` is in the thread control block of x86-64's libcs (heap/early.hpp).
inline constexpr std::size_t bins_offset_in_thread_state = 0x20;

/// Objects of the allocator itself; each struct proves that it fits.
inline constexpr std::size_t thread_heap_size = 4 * kib + 640;
inline constexpr std::size_t vm_area_size = 768;

/// Slabs in the list of a fuller quarter than theirs that one refill lists anew, at most.
inline constexpr unsigned lists_anew_max = 8;

/// Wholly free slabs that a shard keeps, in bytes.
inline constexpr std::size_t empty_slab_bytes_max = 32 * kib;

// --- page lists --------------------------------------------------------------------------------

/// Orders that a thread keeps free blocks of.
inline constexpr unsigned nr_pageset_orders = 4;
inline constexpr unsigned pageset_capacity = 16;
inline constexpr std::size_t pageset_order_bytes_max = 128 * kib;

/// Blocks of each of these orders that are kept for GFP_ATOMIC, 160 KiB in all: enough for a handler or a
/// real-time thread between two looks.
inline constexpr unsigned reserve_blocks[nr_pageset_orders] = {16, 4, 2, 1};
inline constexpr unsigned reserve_blocks_max = 16;
inline constexpr std::size_t reserve_pages = 40;
static_assert(reserve_blocks[0] + 2 * reserve_blocks[1] + 4 * reserve_blocks[2] +
                  8 * reserve_blocks[3] ==
              reserve_pages);

/// Memory nodes (NUMA) that have zones of their own.
inline constexpr unsigned nr_nodes_max = 8;

/// Processors of which it is known which node they are on; later ones share theirs.
inline constexpr unsigned nr_mapped_cpus = 2048;
static_assert(is_power_of_2(nr_mapped_cpus));

/// Page frames that a thread keeps at hand for alloc_pages(), of each of these orders: at most so many,
/// and so many bytes.
inline constexpr unsigned frame_bin_capacity = 32;
inline constexpr std::size_t frame_bin_bytes_max = 128 * kib;

// --- giving memory back ------------------------------------------------------------------------

/// Wholly free pageblocks keep at most this part of the most memory that was ever in use, though never
/// more than dirty_large_max.
inline constexpr std::size_t large_part = 2;

/// What the bounds of pages between slabs, and of all others, rise by where too much was given back: at most
/// this much, or this part of the most memory that was ever in use.
inline constexpr std::size_t extra_bound[] = {16 * mib, 32 * mib};
inline constexpr std::size_t extra_bound_part[] = {8, 4};

// --- windows -----------------------------------------------------------------------------------

/// Blocks stitched into a window are at least so large: 2 MiB, a page-table page each.
inline constexpr unsigned stitch_order_min = 9;

/// realloc moves the frames of an object of this size rather than its bytes.
inline constexpr std::size_t move_frames_from = 256 * kib;

/// Every discontiguous run of a window costs a VMA of the kernel's 65530.
inline constexpr std::size_t vma_budget = 16384;

} // namespace bsl
