#pragma once

/// Address -> size class, in one byte per page.  What the bytes stand for is said in slab/size_class.hpp.
///
/// The map covers one stretch of addresses, the class window, in which arenas are put as long as
/// there is room.  It answers the only question free() has on its fast path; class 0 is every other
/// answer: no object of a class starts here, another page's business, or not ours at all.
///
///     offset = address - start;   offset < span ? bytes[offset / 4096] : 0
///
/// The one comparison sorts out NULL, foreign and nonsensical pointers as well.
///
/// A byte is written before an object of its page is handed out and cleared before the page returns
/// to the buddy system.
///
/// The three fields are written once, before the first page is handed out: who has a pointer to free
/// has seen them.  They are not atomic, so that the compiler can use them as operands.

#include "base/cpu.hpp"
#include "config/limits.hpp"

#include <cstdint>

namespace bsl
{

struct alignas(cache_line_size) class_map
{
    std::uintptr_t start = 0;
    std::size_t span = 0;
    std::uint8_t* bytes = nullptr;

    [[gnu::always_inline]] bool covers(const void* address) const
    {
        return reinterpret_cast<std::uintptr_t>(address) - start < span;
    }

    /// Class of the page at an address in the window.
    [[gnu::always_inline]] std::size_t lookup_covered(const void* address) const
    {
        const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(address) - start;
        std::size_t size_class = bytes[offset >> page_shift];
        // Widened once, here: the compiler would do it again for each use.
        asm("" : "+r"(size_class));
        return size_class;
    }

    /// Class of the page at any address; 0 outside of the window.
    unsigned lookup(const void* address) const
    {
        return covers(address) ? static_cast<unsigned>(lookup_covered(address)) : 0;
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
