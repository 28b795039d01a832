#pragma once

/// Contiguous areas (the kernel's CMA): memory that is there, in one piece, when it is called for.
///
/// An area is an arena of the MOVABLE zone, faulted in when it is declared and never given back to the
/// system.  While it is not in use its frames need not lie idle: they fill windows of vmalloc, as those
/// of any free block do (lending.hpp), the zones of malloc first.  cma_alloc() calls them home:
///
///     1. a bit of the area's bitmap for each 2^order_per_bit pages: the first run of clear bits that is
///        large enough and aligned is claimed
///     2. its pages are taken from the zone, pageblock by pageblock
///     3. where some are away, call_home() (exchange.hpp); then 2 again
///
/// No window changes its address or its contents, and no byte is copied.
///
/// Lock: cma_lock guards the bitmaps and the list of areas; it is not held while frames come home.

#include "arena/page.hpp"
#include "locking/mutex.hpp"

#include <cstddef>
#include <cstdint>

namespace bsl
{

extern constinit mutex cma_lock;

inline constexpr std::size_t cma_name_size = 64;

struct cma
{
    cma* next;
    char* start;
    std::size_t pages;
    unsigned order_per_bit;
    char name[cma_name_size];
    std::size_t nr_used;   ///< pages.  Lock: cma_lock
    std::uint64_t* bitmap; ///< a set bit is in use.  Lock: cma_lock
};

/// Where an area is to be.  0: anywhere.
struct cma_request
{
    std::uintptr_t base;  ///< here, if possible
    std::size_t size;     ///< a multiple of a pageblock
    std::uintptr_t limit; ///< all of it below this
    std::size_t alignment;
    unsigned order_per_bit;
    bool fixed; ///< at `base` or not at all
    const char* name;
};

/// nullptr without memory or a place for it.  No lock may be held.
cma* declare_contiguous(const cma_request& request);

/// The first struct page of `count` pages in use from now on, aligned to 2^order pages.  nullptr when
/// there is no such run, or its frames cannot come home.  No lock may be held.
page* cma_alloc(cma& area, std::size_t count, unsigned order);

enum class cma_release_result
{
    released,
    not_here, ///< the pages are not all of this area; nothing happened
    not_used, ///< one is not in use; nothing happened
};

/// Gives pages back, all or a part of what one or several cma_alloc() gave.
cma_release_result cma_release(cma& area, char* start, std::size_t count);

} // namespace bsl
