#include <buddyslab/pages.h>

#include "api/start.hpp"
#include "heap/page_frames.hpp"

#include <cerrno>

static_assert(BSL_PAGE_SHIFT == bsl::page_shift);
static_assert(BSL_MAX_PAGE_ORDER == bsl::max_page_order);
static_assert(sizeof(bsl_page) == sizeof(bsl::page));

namespace
{

using bsl::heap::frame_request;

/// Flags that ask for nothing but memory: a hit need not look at them.
constexpr bsl_gfp_t may_reclaim = BSL___GFP_RECLAIM;
constexpr bsl_gfp_t plain_flags =
    BSL_GFP_KERNEL | BSL___GFP_NOWARN | BSL___GFP_ACCOUNT | BSL___GFP_MOVABLE;

bsl_page* to_public(bsl::page* first)
{
    return reinterpret_cast<bsl_page*>(first);
}

bsl::page& from_public(const bsl_page* first)
{
    return reinterpret_cast<bsl::page&>(const_cast<bsl_page&>(*first));
}

const void* to_pointer(unsigned long address)
{
    return reinterpret_cast<const void*>(address);
}

unsigned long to_address(bsl::page* first)
{
    return first == nullptr ? 0 : reinterpret_cast<unsigned long>(first->start);
}

bsl::page* refuse()
{
    errno = EINVAL;
    return nullptr;
}

static_assert(BSL_NUMA_NO_NODE == bsl::any_node);

bool is_node(int nid)
{
    return nid >= 0 && static_cast<unsigned>(nid) < bsl::nr_nodes();
}

/// What the flags say, and whether they are known.
bool understand(bsl_gfp_t gfp, frame_request& request)
{
    request.zeroed = (gfp & BSL___GFP_ZERO) != 0;
    request.at_once = (gfp & may_reclaim) == 0;
    request.must = (gfp & BSL___GFP_NOFAIL) != 0;
    request.this_node = (gfp & BSL___GFP_THISNODE) != 0;
    if ((gfp & BSL___GFP_DMA32) != 0)
        request.type = bsl::zone_type::dma32;
    return (gfp & ~bsl_gfp_t{BSL_GFP_ALL}) == 0;
}

[[gnu::noinline]] bsl::page* alloc_slow(bsl_gfp_t gfp, unsigned order)
{
    frame_request request{};
    request.order = order;
    if (order > bsl::max_page_order || !understand(gfp, request))
        return refuse();
    return bsl::heap::alloc_frames_slow(request);
}

[[gnu::always_inline]] inline bsl::page* alloc(bsl_gfp_t gfp, unsigned order)
{
    if ((gfp & ~(plain_flags & ~may_reclaim)) == may_reclaim && order < bsl::nr_pageset_orders)
        [[likely]]
        return bsl::heap::alloc_frames(order);
    return alloc_slow(gfp, order);
}

} // namespace

bsl_page* bsl_alloc_pages(bsl_gfp_t gfp, unsigned order) noexcept
{
    return to_public(alloc(gfp, order));
}

bsl_page* bsl_alloc_page(bsl_gfp_t gfp) noexcept
{
    return to_public(alloc(gfp, 0));
}

void bsl_free_block(bsl_page* first, unsigned order) noexcept
{
    if (first != nullptr)
        bsl::heap::free_frames(from_public(first), order, "__free_pages");
}

void bsl_free_pages_nolock(bsl_page* first, unsigned order) noexcept
{
    if (first != nullptr)
        bsl::heap::free_frames_at_once(from_public(first), order, "free_pages_nolock");
}

unsigned long bsl_get_free_pages(bsl_gfp_t gfp, unsigned order) noexcept
{
    return to_address(alloc(gfp, order));
}

unsigned long bsl_get_free_page(bsl_gfp_t gfp) noexcept
{
    return to_address(alloc(gfp, 0));
}

unsigned long bsl_get_zeroed_page(bsl_gfp_t gfp) noexcept
{
    return to_address(alloc(gfp | BSL___GFP_ZERO, 0));
}

void bsl_free_pages(unsigned long address, unsigned order) noexcept
{
    if (address != 0)
        bsl::heap::free_frames(to_pointer(address), order, "free_pages");
}

void bsl_free_page(unsigned long address) noexcept
{
    if (address != 0)
        bsl::heap::free_frames(to_pointer(address), 0, "free_page");
}

unsigned bsl_nr_online_nodes() noexcept
{
    return bsl::nr_nodes();
}

int bsl_numa_node_id() noexcept
{
    return static_cast<int>(bsl::current_node());
}

int bsl_node_distance(int from, int to) noexcept
{
    if (!is_node(from) || !is_node(to))
        return 0;
    return static_cast<int>(
        bsl::node_distance(static_cast<unsigned>(from), static_cast<unsigned>(to)));
}

bsl_page* bsl_alloc_pages_node(int nid, bsl_gfp_t gfp, unsigned order) noexcept
{
    frame_request request{};
    request.order = order;
    request.node = nid;
    const bool is_valid = nid == BSL_NUMA_NO_NODE || is_node(nid);
    if (!is_valid || order > bsl::max_page_order || !understand(gfp, request))
        return to_public(refuse());
    return to_public(bsl::heap::alloc_frames_slow(request));
}

int bsl_page_to_nid(const bsl_page* page) noexcept
{
    return static_cast<int>(bsl::node_of(bsl::page_address(from_public(page))));
}

void* bsl_alloc_pages_exact(size_t size, bsl_gfp_t gfp) noexcept
{
    frame_request request{};
    const bool is_valid = size - 1 < bsl::pageblock_size && understand(gfp, request);
    bsl::page* first = is_valid ? bsl::heap::alloc_frames_exact(size, request) : refuse();
    return first == nullptr ? nullptr : first->start;
}

void bsl_free_pages_exact(void* start, size_t size) noexcept
{
    if (start != nullptr)
        bsl::heap::free_frames_exact(start, size, "free_pages_exact");
}

void* bsl_page_address(const bsl_page* page) noexcept
{
    return bsl::page_address(from_public(page));
}

bsl_page* bsl_virt_to_page(const void* address) noexcept
{
    return to_public(bsl::virt_to_page(address));
}

unsigned long bsl_page_to_pfn(const bsl_page* page) noexcept
{
    return bsl::address_to_pfn(bsl::page_address(from_public(page)));
}

bsl_page* bsl_pfn_to_page(unsigned long pfn) noexcept
{
    return to_public(bsl::virt_to_page(bsl::pfn_to_address(pfn)));
}
