#pragma once

/// Address -> size class, in one byte per page.
///
/// The map covers one stretch of addresses, the class window, in which arenas are put as long as
/// there is room.  It answers the only question free() has on its fast path; class 0 is every other
/// answer: not a small object, another page's business, or not ours at all.
///
///     offset = address - start;   offset < span ? bytes[offset / 4096] : 0
///
/// The one comparison sorts out NULL, foreign and nonsensical pointers as well.
///
/// A byte is written before an object of its page is handed out and cleared before the page returns
/// to the buddy system.  The map itself is set up once, before the first page is handed out.

#include "base/cpu.hpp"
#include "config/limits.hpp"

#include <atomic>
#include <cstdint>

namespace bsl
{

struct alignas(cache_line_size) class_map
{
    std::atomic<std::uintptr_t> start{0};
    std::atomic<std::size_t> span{0};
    std::atomic<std::uint8_t*> bytes{nullptr};

    /// Class of the page at `address`; 0 outside of the window.
    [[gnu::always_inline]] unsigned lookup(const void* address) const
    {
        const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(address) -
                                      start.load(std::memory_order_relaxed);
        if (offset >= span.load(std::memory_order_relaxed)) [[unlikely]]
            return 0;
        return bytes.load(std::memory_order_relaxed)[offset >> page_shift];
    }

    /// Sets the class of `nr` pages from `address` on; of those outside of the window nothing is
    /// kept, their class is found by way of struct page.
    void set(const void* address, std::size_t nr, unsigned size_class);

    /// Puts the window around the first arena and reserves the map.  False without memory.
    bool place(std::uintptr_t first_arena, bool as_hinted);

    /// Makes the part of the map for [address, address + size) writable.
    bool cover(const void* address, std::size_t size);
};

extern constinit class_map page_classes;

} // namespace bsl
