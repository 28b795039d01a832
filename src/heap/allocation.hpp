#pragma once

/// What an address is that the program says it got from malloc.

#include "arena/mem_section.hpp"
#include "slab/kmem_cache.hpp"

namespace bsl::heap
{

enum class allocation_kind
{
    object,   ///< of a size class; head is the first struct page of its slab
    program,  ///< of one of the program's caches; head as above
    heap,     ///< of a private heap: in a window, or else head is one of its struct pages
    run,      ///< whole pages inside one pageblock; head is its first struct page
    adjacent, ///< whole pages of several pageblocks in an arena
    window,   ///< of vmalloc
    early,    ///< from before this library was relocated; never used again
};

struct allocation
{
    allocation_kind kind;
    unsigned size_class; ///< of an object
    std::size_t size;    ///< usable bytes
    page* head;
    vm_area* window;
};

/// Finds out what starts at p.  What cannot be an allocation is reported, and the process aborts:
/// foreign addresses, the middle of an object or window, free pages.  Small objects are looked at
/// closely only if their class is checked (slab_debug=F); otherwise their flush will.
allocation resolve(const void* p, const char* call);

/// The number of the private heap that it is of.
std::uint32_t heap_number_of(const allocation& what);

/// In place while it fits and at least half of it stays in use, or there is nothing smaller.
constexpr bool fits_well(std::size_t size, std::size_t room)
{
    return size <= room && (size >= room / 2 || room == malloc_alignment);
}

/// Makes `pages` pages of one block a run; returns their start.  `zeros`: none was ever touched.
void* mark_run(char* start, std::size_t pages, bool& zeros);

[[noreturn, gnu::cold]] void report_double_free_window(const char* call, const void* p,
                                                       const vm_area& window);

} // namespace bsl::heap
