#pragma once

/// The heap page by page, as pictures need it: what each page is for, and where the windows are.

#include "tool/target.hpp"

namespace bsl::tool
{

/// As page_role, and what only the threads and windows know of a page that is elsewhere.
enum class look_of : std::uint8_t
{
    free_clean,
    free_resident,
    slab,
    own,
    single,
    run,
    reserve,
    listed, ///< in a thread's page list
    lent,   ///< its frame is in a window
    moving,
};
inline constexpr const char* names_of_looks[] = {
    "free, no memory", "free, resident", "slab",           "allocator's own", "large object",
    "run of pages",    "reserve",        "kept by thread", "lent to window",  "on its way",
};
inline constexpr unsigned nr_looks = std::size(names_of_looks);

/// Fill of a slab's pages, in eighths.
inline constexpr unsigned fill_steps = 8;

struct page_image
{
    look_of look;
    std::uint8_t fill;
    std::uint16_t cache;
    bool operator==(const page_image&) const = default;
};

struct block_image
{
    std::uintptr_t start;
    std::uint8_t zone;
    migrate_type type;
    unsigned nr_free;
    int largest_free_order; ///< -1: no free block
    bool is_huge[2];        ///< its halves of 2 MiB are huge pages
    page_image pages[pages_per_pageblock];
};

struct window_image
{
    std::uintptr_t start;
    std::size_t size;
    std::size_t committed;
    std::size_t reserved;
    std::size_t lent;
    bool is_live;
};

struct heap_image
{
    double seconds; ///< since the first image
    snapshot heap;
    std::vector<block_image> blocks;
    std::vector<window_image> windows;
    std::size_t huge_bytes; ///< of arenas and windows
    bool knows_huge_pages;

    /// How much of the free memory lies in blocks too small for a huge page, in percent.
    unsigned fragmentation() const;
};

/// Walks the heap of a target.
void take_image(target& of, heap_image& to);

} // namespace bsl::tool
