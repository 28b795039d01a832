#include "heap/page_frames.hpp"

#include "arena/low_memory.hpp"
#include "base/check.hpp"
#include "base/format.hpp"
#include "buddy/reclaim.hpp"
#include "heap/allocation.hpp"
#include "heap/frame_reserve.hpp"
#include "heap/room.hpp"
#include "host/clear.hpp"
#include "slab/misuse.hpp"

#include <atomic>
#include <cerrno>

namespace bsl::heap
{

namespace
{

using message = format<512>;

format_sink& name_pages(format_sink& line, std::size_t pages)
{
    return line.decimal(pages).text(pages == 1 ? " page" : " pages");
}

// --- getting -----------------------------------------------------------------------------------

/// Notes who the pages belong to from now on.  `is_clean`: no page was ever touched.
page* hand_out(char* start, std::size_t pages, unsigned order, bool& is_clean)
{
    is_clean = !open_pages(start, pages);
    const pageblock& block = pageblock_of(start);
    page& first = page_of(block, start);
    first.start = start;
    first.nr_run_pages = pages;
    first.order = static_cast<std::uint8_t>(order);
    first.shard = static_cast<std::uint8_t>(type_of_zone(block.zone));
    first.colour = pages != nr_pages(order);
    std::atomic_ref<page_state>(first.state).store(page_state::frame, std::memory_order_relaxed);
    return &first;
}

/// From the zone itself.
char* alloc_in_zone(zone& from, std::size_t pages, unsigned order)
{
    mutex_guard guard(from.lock);
    return from.alloc_pages_exact(pages, order, migrate_type::run);
}

/// From the zones of a node's zonelist that are there.
char* alloc_from_list(const frame_request& request, unsigned node, std::size_t pages)
{
    const zonelist list = zonelist_of(node, request.type, request.this_node);
    for (unsigned i = 0; i < list.nr; ++i) {
        if (char* start = alloc_in_zone(*list.zones[i], pages, request.order))
            return start;
    }
    return nullptr;
}

/// From the zone of a node, which grows as long as the system has memory for it.
char* alloc_growing(const frame_request& request, unsigned node, std::size_t pages)
{
    zone* from = make_zone(zone_number(node, request.type));
    if (from == nullptr)
        return nullptr;
    const bool is_low = request.type == zone_type::dma32;
    do {
        if (char* start = alloc_in_zone(*from, pages, request.order))
            return start;
    } while (is_low ? grow_low_memory(from->number(), node) : grow_arenas(1, from->number(), node));
    return nullptr;
}

/// The node's own zone, the others of its list, and what can be freed.
char* alloc_on_node(const frame_request& request, std::size_t pages)
{
    const unsigned node =
        request.node == any_node ? current_node() : static_cast<unsigned>(request.node);
    const auto attempt = [&] {
        char* start = alloc_growing(request, node, pages);
        return start != nullptr ? start : alloc_from_list(request, node, pages);
    };
    return with_room(attempt, [&](unsigned) {
        zone* own = zone_at(zone_number(node, request.type));
        return own == nullptr ? room::none : make_room_in(*own);
    });
}

char* alloc_normal(std::size_t pages, unsigned order)
{
    return with_room([&]() -> char* {
        thread_heap* mine = this_thread_heap();
        if (mine == nullptr || order >= nr_pageset_orders || pages != nr_pages(order))
            return alloc_near(current_node(),
                              [&](zone& from) { return alloc_in_zone(from, pages, order); });
        page* first = mine->alloc_frame(order);
        return first == nullptr ? nullptr : page_address(*first);
    });
}

char* alloc_wherever(const frame_request& request, std::size_t pages)
{
    if (request.type != zone_type::normal || request.node != any_node || request.this_node)
        return alloc_on_node(request, pages);
    char* start = alloc_normal(pages, request.order);
    return start != nullptr ? start : alloc_from_list(request, current_node(), pages);
}

// --- the reserve -------------------------------------------------------------------------------

void give_back(page& first);

page* refill_reserve(unsigned order)
{
    char* start = alloc_normal(nr_pages(order), order);
    if (start == nullptr)
        return nullptr;
    bool is_clean = false;
    page* first = hand_out(start, nr_pages(order), order, is_clean);
    for (std::size_t i = 0; i < nr_pages(order); ++i)
        static_cast<volatile char*>(start)[i << page_shift] = 0; // no page fault later
    first->state = page_state::free;
    return first;
}

/// Not before the library is up, nor by a thread that has ended.
void look_after_reserve()
{
    if (this_thread_heap() != nullptr)
        heap::look_after_reserve(refill_reserve, give_back);
}

/// The reserve has no node but that of each of its blocks.
page* take_at_once(const frame_request& request)
{
    if (request.type != zone_type::normal)
        return nullptr;
    if (nr_nodes() == 1 || (request.node == any_node && !request.this_node))
        return take_from_reserve(request.order, any_node);
    const int node = request.node == any_node ? static_cast<int>(current_node()) : request.node;
    page* first = take_from_reserve(request.order, node);
    return first != nullptr || request.this_node ? first
                                                 : take_from_reserve(request.order, any_node);
}

page* alloc_at_once(const frame_request& request)
{
    page* first = take_at_once(request);
    if (first == nullptr) {
        errno = ENOMEM;
        return nullptr;
    }
    std::atomic_ref<page_state>(first->state).store(page_state::frame, std::memory_order_relaxed);
    if (request.zeroed) // without a system call: not by host::clear()
        std::memset(first->start, 0, nr_pages(request.order) << page_shift);
    return first;
}

[[noreturn]] void report_must(std::size_t pages)
{
    message line;
    line.text("out of memory: ");
    report_bug(name_pages(line, pages).text(", and the caller cannot do without (__GFP_NOFAIL)"));
}

// --- both together -----------------------------------------------------------------------------

page* alloc(std::size_t pages, const frame_request& request)
{
    if (request.at_once)
        return alloc_at_once(request); // a few pages too many, where it is an exact size
    char* start = alloc_wherever(request, pages);
    if (request.keeps_reserve)
        look_after_reserve();
    keep_balance_after_alloc(this_thread.heap);
    if (start == nullptr && request.must)
        report_must(pages);
    if (start == nullptr) {
        errno = ENOMEM;
        return nullptr;
    }
    bool is_clean = false;
    page* first = hand_out(start, pages, request.order, is_clean);
    if (request.zeroed && !is_clean)
        host::clear(start, pages << page_shift);
    return first;
}

// --- giving back -------------------------------------------------------------------------------

/// The block of frames that the page is in, but not the first of.  nullptr if there is none.
const page* frames_around(const pageblock& block, const char* p)
{
    const std::size_t number = address_to_pfn(p) % pages_per_pageblock;
    for (unsigned order = 0; order < nr_page_orders; ++order) {
        const page& first = block.mem_map[number & ~(nr_pages(order) - 1)];
        if (first.state == page_state::frame &&
            p < first.start + (first.nr_run_pages << page_shift))
            return &first;
    }
    return nullptr;
}

[[noreturn]] void report_inside_frames(const char* call, const char* p, const page& first)
{
    message line;
    begin_bug(line, call, p).text("not the start of a block: ");
    line.decimal(static_cast<std::size_t>(p - first.start)).text(" bytes into a block of ");
    name_pages(line, first.nr_run_pages).text(", which starts at ").pointer(first.start);
    report_bug(line);
}

[[noreturn]] void report_wrong_size(const char* call, const page& first, std::size_t pages)
{
    message line;
    begin_bug(line, call, first.start).text("wrong order: a block of ");
    name_pages(line, first.nr_run_pages).text(", given back as ");
    report_bug(name_pages(line, pages));
}

[[noreturn]] void report_free_frames(const char* call, const void* p)
{
    message line;
    begin_bug(line, call, p);
    report_bug(line.text("double free: the page is free already"));
}

[[noreturn]] void report_not_frames(const char* call, const void* p)
{
    message line;
    begin_bug(line, call, p).text("not from alloc_pages: ");
    const address_owner owner = owner_of(p);
    if (owner.window != nullptr)
        report_bug(line.text("the address is in a window, which free() takes back"));
    if (owner.block == nullptr || owner.block->mem_map == nullptr)
        report_bug(line.text("no page of this heap has this address"));
    page& of = page_of(*owner.block, p);
    if (of.state == page_state::heap)
        report_bug(line.text("the page belongs to a private heap"));
    if (of.state != page_state::slab)
        report_bug(line.text("the page belongs to a run of malloc's, which free() takes back"));
    const object_position at = locate(p, of);
    line.text("the address is in object ").decimal(at.index).text(" of cache ");
    report_bug(line.text(at.cache->name()));
}

[[noreturn]] void report_contiguous(const char* call, const void* p)
{
    message line;
    begin_bug(line, call, p);
    report_bug(line.text("not from alloc_pages: the page is one of cma_alloc's"));
}

/// The first struct page of what is given back, which is free from now on.  Anything but a block of so
/// many pages is reported.
page& take_back(const void* p, std::size_t pages, const char* call)
{
    const pageblock* block = owner_of(p).block;
    if (block == nullptr || block->mem_map == nullptr)
        report_not_frames(call, p);
    const auto* address = static_cast<const char*>(p);
    page& first = page_of(*block, p);
    const std::atomic_ref<page_state> state(first.state);
    page_state expected = page_state::frame;
    switch (state.load(std::memory_order_relaxed)) {
    case page_state::frame:
        if (type_of_zone(first.shard) == zone_type::movable)
            report_contiguous(call, p);
        if (first.start != address)
            report_inside_frames(call, address, first);
        if (first.nr_run_pages != pages)
            report_wrong_size(call, first, pages);
        // Of two threads that free it at once one finds it free.
        if (!state.compare_exchange_strong(expected, page_state::free, std::memory_order_acquire))
            report_free_frames(call, p);
        return first;
    case page_state::reserve:
        report_free_frames(call, p);
    case page_state::free:
        if (const page* around = frames_around(*block, address))
            report_inside_frames(call, address, *around);
        report_free_frames(call, p);
    case page_state::slab:
    case page_state::run:
    case page_state::heap:
        break;
    }
    report_not_frames(call, p);
}

void give_back(page& first)
{
    const std::size_t pages = first.nr_run_pages;
    const unsigned order = first.order;
    thread_heap* mine = this_thread_heap();
    const bool is_normal = type_of_zone(first.shard) == zone_type::normal;
    if (mine != nullptr && is_normal && first.colour == 0 && order < nr_pageset_orders &&
        is_local(first.start)) {
        mine->free_frame(first, order);
    } else {
        zone& home = zone_of(first.start);
        {
            mutex_guard guard(home.lock);
            home.free_run(first.start, pages);
        }
        if (!is_normal)
            balance_other(home);
    }
    keep_balance_after_free(mine);
}

} // namespace

page* alloc_frames_slow(const frame_request& request) noexcept
{
    return alloc(nr_pages(request.order), request);
}

void free_frames_slow(const void* p, unsigned order, const char* call) noexcept
{
    // No block has as many pages as an order that is too large says: take_back() will find that.
    constexpr std::size_t too_many = 2 * pages_per_pageblock;
    give_back(take_back(p, order > max_page_order ? too_many : nr_pages(order), call));
}

void free_frames_at_once(page& first, unsigned order, const char* call) noexcept
{
    if (order >= nr_pageset_orders || mark_of(first) != frame_mark(order))
        return free_frames_slow(page_address(first), order, call);
    take_back(first.start, nr_pages(order), call);
    give_to_reserve(first, order);
}

page* alloc_frames_exact(std::size_t size, const frame_request& request) noexcept
{
    frame_request whole = request;
    const std::size_t pages = div_round_up(size, bytes_per_page);
    if (whole.order < ilog2_ceil(pages))
        whole.order = ilog2_ceil(pages);
    return alloc(pages, whole);
}

void free_frames_exact(const void* p, std::size_t size, const char* call) noexcept
{
    give_back(take_back(p, div_round_up(size, bytes_per_page), call));
}

} // namespace bsl::heap
