#pragma once

/// What is known of every page: struct page, and the pageblock of 1024 of them.
///
/// Both live apart from the memory they describe, so that no overflow of an object reaches them, and
/// are touched only for pages in use: a pageblock's 64 KiB of struct pages start as untouched zeros.
///
///     pageblock (4 MiB of memory)        its mem_map: 1024 × 64 bytes
///     +----+----+----+----+-- … --+      +------+------+------+-- … --+
///     | 4K | 4K | 4K | 4K |       |      | page | page | page |       |
///     +----+----+----+----+-- … --+      +------+------+------+-- … --+
///
/// A zeroed struct page is a page that is free, or of which only the first page of its block speaks.

#include "base/bitmap.hpp"
#include "base/counter.hpp"
#include "base/list.hpp"
#include "config/limits.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace bsl
{

/// Number of a page: its address divided by the page's size.
using pfn_t = std::uint64_t;

inline pfn_t address_to_pfn(const void* address)
{
    return reinterpret_cast<std::uintptr_t>(address) >> page_shift;
}

inline char* pfn_to_address(pfn_t pfn)
{
    return reinterpret_cast<char*>(pfn << page_shift);
}

constexpr std::size_t nr_pages(unsigned order)
{
    return std::size_t{1} << order;
}

enum class page_state : std::uint8_t
{
    free,    ///< in the buddy system, in a pageset, or not the first page of a run or frame
    slab,    ///< part of a slab: cache and order are valid in every page, the rest in the first
    run,     ///< first page of nr_run_pages pages handed out by malloc and its kin
    frame,   ///< first page of nr_run_pages pages handed out by alloc_pages and its kin
    reserve, ///< the same, kept for callers that can bear nothing (frame_reserve.hpp)
    heap,    ///< of a private heap: slab/heap_slab.hpp says which fields mean what
};

/// Objects of the smallest class in one page; the slab's bitmap needs a bit for each.
inline constexpr std::size_t objects_per_page_max = bytes_per_page / malloc_alignment;

struct alignas(64) page
{
    /// Slab, first page: link in a list of its node.  Lock: the node's.
    list_head lru;

    union
    {
        /// Slab: a set bit is a free object.  Object i of the slab is bit i % 256 of its page
        /// i / 256, wherever the object itself lies.  Lock: the node's.  A slab of one object needs one
        /// bit: what the other words say of it stands in slab/kmem_cache.hpp.
        std::uint64_t free_objects[objects_per_page_max / 64];

        /// Run, frame: how many pages it has.
        std::size_t nr_run_pages;
    };

    /// The memory this page describes: of slabs, runs and frames set in the first page, of others once
    /// somebody has asked (page_address()); nullptr until then.
    char* start;

    page_state state;
    std::uint8_t order;           ///< slab, run, frame: the block it was cut from has 2^order pages
    std::uint8_t shard;           ///< slab: its home; never changes while the slab lives
    std::uint8_t colour;          ///< slab: offset of the first object, in units of 16 bytes
    std::uint16_t cache;          ///< slab: number of the kmem_cache its objects belong to
    std::uint16_t nr_free : 15;   ///< slab: set bits in its bitmap.  Lock: the node's
    std::uint16_t is_settled : 1; ///< slab: no hole since holes.cpp looked.  Lock: the node's
};
static_assert(sizeof(page) == 64);

/// Free blocks of a pageblock, by what they hold.
enum class residency : unsigned
{
    resident, ///< at least one page of the block may hold memory
    clean,    ///< no page holds memory: all read as zeros, touching one is a page fault
};
inline constexpr unsigned nr_residencies = 2;

/// Kinds of use are kept in different pageblocks, so that whole ones become free again.
enum class migrate_type : std::uint8_t
{
    slab, ///< small blocks, cut into objects
    run,  ///< large blocks, which come and go as wholes
    none, ///< the pageblock is wholly free and open to either
};
inline constexpr unsigned nr_migrate_types = 3;

/// One bit per possible block: order n starts at bit free_map_start(n).
inline constexpr std::size_t free_map_bits = 2 * pages_per_pageblock;

constexpr std::size_t free_map_start(unsigned order)
{
    return free_map_bits - (free_map_bits >> order);
}

enum class pageblock_state : std::uint8_t
{
    offline, ///< not in any zone: new, or given back to the system
    online,  ///< its pages are in the zone's care
};

/// What the kernel was asked for a pageblock: huge pages or not (huge_pages.hpp).
enum class huge_advice : std::uint8_t
{
    none,  ///< no huge pages
    due,   ///< they are to be asked for
    given, ///< they were
    ended, ///< they were, and are no longer; what came with them may still be there
};

struct pageblock
{
    // --- arena: constant once the pageblock is made
    char* start;
    page* mem_map;     ///< its 1024 struct pages
    std::uint8_t zone; ///< number of the zone it belongs to

    // --- buddy: lock of the zone
    list_head link[nr_residencies];            ///< in the zone's lists, by largest free block
    std::uint8_t listed_order[nr_residencies]; ///< the list it is in, where linked
    std::uint16_t orders_free[nr_residencies]; ///< bit n: there is a free block of order n
    std::uint16_t nr_blocks[nr_residencies][nr_page_orders];
    std::uint16_t nr_free;       ///< free pages
    std::uint16_t nr_dirty_free; ///< free pages that may hold memory
    std::uint16_t longest_run;   ///< no more free pages than so many follow each other
    /// Pages given back to the system in interval given_in, and still out.
    counter<std::uint16_t> nr_given;
    std::uint16_t given_in;
    migrate_type type;
    pageblock_state state;
    bitmap<free_map_bits> free_map[nr_residencies];
    bitmap<pages_per_pageblock> free_pages; ///< the same, page by page

    // --- whoever owns the page; the zone for free ones
    /// Pages that may hold memory.  A clear bit promises: reads as zeros, and is not resident unless as the
    /// rest of a huge page.
    bitmap<pages_per_pageblock, bitmap_access::shared> dirty;

    /// `due` is the zone's to write, as the block's first page is taken; the steps from there belong to the thread
    /// that exchanges the value, under no lock (huge_pages.hpp).
    std::atomic<huge_advice> huge;
};

inline page& page_of(const pageblock& block, const void* address)
{
    return block.mem_map[address_to_pfn(address) % pages_per_pageblock];
}

} // namespace bsl
