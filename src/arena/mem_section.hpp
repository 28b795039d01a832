#pragma once

/// The sparse table that explains any address, as the kernel's SPARSEMEM.
///
///     address   | 46 … 30 | 29 … 22 | 21 … 0 |
///                section    block     offset
///
///     root[section] -> mem_section { owner[256] }
///
/// An owner is a pageblock of an arena, a window of vmalloc, or nothing.  Addresses beyond the user's
/// half of the address space have no owner either.  Reading takes no lock: entries are published
/// with release, and what they point to is never freed while an address of it is in use.

#include "arena/page.hpp"

#include <atomic>
#include <cstdint>

namespace bsl
{

struct vm_area;

/// Who answers for an address; at most one is set.
struct address_owner
{
    pageblock* block = nullptr;
    vm_area* window = nullptr;
};

/// Never fails, never faults, whatever the address.
address_owner owner_of(const void* address);

/// The pageblock of an address that is in use in an arena; only for such.
pageblock& pageblock_of(const void* address);

/// Records the owner of the pageblock-sized slots [start, start + nr).  Start is aligned to a
/// pageblock.  False when there is no memory for the table.
bool set_owner(const void* start, std::size_t nr, pageblock* first);
bool set_owner(const void* start, std::size_t nr, vm_area* window);
void clear_owner(const void* start, std::size_t nr);

} // namespace bsl
