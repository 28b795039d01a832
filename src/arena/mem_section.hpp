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

struct mem_section
{
    /// 0: no owner; bit 0 clear: a pageblock; bit 0 set: a vm_area.
    std::atomic<std::uintptr_t> owner[pageblocks_per_section];
};

/// 2 MiB of zeros, of which the pages for the addresses in use get touched: one or two.
extern constinit std::atomic<mem_section*> mem_sections[nr_sections];

inline constexpr std::uintptr_t window_tag = 1;

/// Who answers for an address; at most one is set.
struct address_owner
{
    pageblock* block = nullptr;
    vm_area* window = nullptr;
};

/// Never fails, never faults, whatever the address.
inline address_owner owner_of(const void* address)
{
    const std::uintptr_t slot = reinterpret_cast<std::uintptr_t>(address) >> pageblock_shift;
    if (slot / pageblocks_per_section >= nr_sections) [[unlikely]]
        return {};
    const mem_section* section =
        mem_sections[slot / pageblocks_per_section].load(std::memory_order_acquire);
    if (section == nullptr) [[unlikely]]
        return {};
    const std::uintptr_t value =
        section->owner[slot % pageblocks_per_section].load(std::memory_order_acquire);
    if ((value & window_tag) != 0) [[unlikely]]
        return {nullptr, reinterpret_cast<vm_area*>(value & ~window_tag)};
    return {reinterpret_cast<pageblock*>(value), nullptr};
}

/// The pageblock of an address that is in use in an arena; only for such, so that nothing is asked.
inline pageblock& pageblock_of(const void* address)
{
    const std::uintptr_t slot = reinterpret_cast<std::uintptr_t>(address) >> pageblock_shift;
    const mem_section* section =
        mem_sections[slot / pageblocks_per_section].load(std::memory_order_acquire);
    return *reinterpret_cast<pageblock*>(
        section->owner[slot % pageblocks_per_section].load(std::memory_order_acquire));
}

/// From now on these pages, of one pageblock, may hold memory.  Did any before?  If not, all read as zeros.
inline bool open_pages(const char* start, std::size_t pages)
{
    pageblock& block = pageblock_of(start);
    const auto first = static_cast<std::size_t>(start - block.start) >> page_shift;
    const bool any = block.dirty.count(first, pages) != 0;
    block.dirty.set(first, pages);
    return any;
}

/// Records the owner of the pageblock-sized slots [start, start + nr).  Start is aligned to a
/// pageblock.  False when there is no memory for the table.
bool set_owner(const void* start, std::size_t nr, pageblock* first);
bool set_owner(const void* start, std::size_t nr, vm_area* window);

/// Of those slots, the ones that still have this owner have none from now on.  Others may have one already: addresses
/// that the kernel has unmapped are another thread's as soon as it maps them.
void clear_owner(const void* start, std::size_t nr, pageblock* first);
void clear_owner(const void* start, std::size_t nr, vm_area* window);

} // namespace bsl
