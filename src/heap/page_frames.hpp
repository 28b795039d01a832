#pragma once

/// alloc_pages and its kin: blocks of 2^order pages, from the zone the caller names.
///
///     a hit      orders 0 … 3 of the ordinary zone: pop a struct page from this thread's bin, push it back
///     a miss     the thread's pageset, then the zone; larger orders and other zones at once from the zone
///
/// Who owns a block stands in its first struct page: state `frame`, and how many pages it has.  While a
/// block is free, nothing else there changes, so that a hit writes one byte.  The address of a block
/// that is freed is looked up in the section table, not in the class map: pages have no class.
///
/// `call` is the name of the entry point, for messages about misuse.

#include "arena/arena.hpp"
#include "arena/mem_section.hpp"
#include "buddy/zonelist.hpp"
#include "heap/registry.hpp"

#include <bit>
#include <cstring>

namespace bsl::heap
{

/// What is wanted.  Orders above max_page_order are refused before.
struct frame_request
{
    unsigned order = 0;
    zone_type type = zone_type::normal;
    bool zeroed = false;
    bool at_once = false;      ///< without a lock, a system call or a page fault, or not at all
    bool must = false;         ///< if there is no memory, the program ends with a message
    bool keeps_reserve = true; ///< false: nobody will want more of it at once (frame_reserve.hpp)
    bool this_node = false;    ///< of no other node
    int node = any_node;       ///< from this node first, and straight from its zones
};

/// What a struct page says of a block that a bin may keep, in the words of one comparison: state, order,
/// ordinary memory of any node (`shard` is the zone's type here), not cut (`colour`).
inline std::uint32_t frame_mark(unsigned order)
{
    struct
    {
        page_state state;
        std::uint8_t order, type, cut;
    } mark{page_state::frame, static_cast<std::uint8_t>(order),
           static_cast<std::uint8_t>(zone_type::normal), 0};
    return std::bit_cast<std::uint32_t>(mark);
}

inline std::uint32_t mark_of(const page& first)
{
    std::uint32_t mark;
    static_assert(offsetof(page, order) == offsetof(page, state) + 1);
    static_assert(offsetof(page, shard) == offsetof(page, state) + 2);
    static_assert(offsetof(page, colour) == offsetof(page, state) + 3);
    std::memcpy(&mark, &first.state, sizeof mark);
    return mark;
}

/// nullptr with errno = ENOMEM when there is no memory.
[[gnu::noinline]] page* alloc_frames_slow(const frame_request& request) noexcept;
[[gnu::noinline]] void free_frames_slow(const void* p, unsigned order, const char* call) noexcept;

/// 2^order pages of the ordinary zone, order below nr_pageset_orders.
[[gnu::always_inline]] inline page* alloc_frames(unsigned order, bool keeps_reserve = true) noexcept
{
    if (thread_bins* mine = this_thread.bins) [[likely]] {
        if (void* kept = mine->frames[order].pop()) [[likely]] {
            auto* first = static_cast<page*>(kept);
            first->state = page_state::frame;
            return first;
        }
    }
    frame_request request{};
    request.order = order;
    request.keeps_reserve = keeps_reserve;
    return alloc_frames_slow(request);
}

/// Any order.
[[gnu::always_inline]] inline void free_frames(page& first, unsigned order,
                                               const char* call) noexcept
{
    if (order < nr_pageset_orders && mark_of(first) == frame_mark(order)) [[likely]] {
        // Whoever steals it from the bin may use it at once: what is said of it comes first.
        first.state = page_state::free;
        if (this_thread.bins->frames[order].push(&first)) [[likely]]
            return;
        first.state = page_state::frame;
    }
    free_frames_slow(page_address(first), order, call);
}

[[gnu::always_inline]] inline void free_frames(const void* p, unsigned order,
                                               const char* call) noexcept
{
    const pageblock* block = owner_of(p).block;
    if (block != nullptr && block->mem_map != nullptr) [[likely]] {
        page& first = page_of(*block, p);
        if (first.start == p) [[likely]]
            return free_frames(first, order, call);
    }
    free_frames_slow(p, order, call);
}

/// Gives a block of a small order back in the middle of anything: no lock, no system call.
void free_frames_at_once(page& first, unsigned order, const char* call) noexcept;

/// Exactly as many pages as `size` needs, aligned to the next power of two, or to 2^order pages if that
/// is more; at most 2^max_page_order.
page* alloc_frames_exact(std::size_t size, const frame_request& request) noexcept;
void free_frames_exact(const void* p, std::size_t size, const char* call) noexcept;

} // namespace bsl::heap
