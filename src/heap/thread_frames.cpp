/*
 * The page frames that a thread keeps at hand: a bin an order, as for objects, but of struct pages.
 *
 *     alloc_pages()  <-  bin (one sheaf)  <->  pageset  <->  zone
 *
 * A pageset is under the thread's lock, which costs more than all the rest of a hit; the bin in front of
 * it has none.  There is no stack of sheaves and no barn: what a bin cannot keep, the pageset can, and
 * merging it with its neighbours is worth more than passing it on.
 *
 * Every page in a bin is marked dirty and its struct page still says which block it was.
 */
#include "arena/mem_section.hpp"
#include "heap/thread_heap.hpp"

namespace bsl
{

namespace
{

/// Blocks of an order that a thread may keep now.
unsigned frames_to_keep(unsigned order)
{
    const std::size_t fit = share_of(frame_bin_bytes_max) / (nr_pages(order) << page_shift);
    return fit == 0                   ? 1
           : fit < frame_bin_capacity ? static_cast<unsigned>(fit)
                                      : frame_bin_capacity;
}

} // namespace

page* thread_heap::alloc_frame(unsigned order)
{
    mutex_guard guard(lock);
    if (void* kept = bins_.frames[order].pop())
        return static_cast<page*>(kept);
    char* start = alloc_near(
        current_node(), [&](zone& from) { return pages_.alloc(from, order, migrate_type::slab); });
    return start == nullptr ? nullptr : &page_of(pageblock_of(start), start);
}

void thread_heap::give_frames(void* const* frames, unsigned n, unsigned order)
{
    pages_.set_bound(share_of(pageset_order_bytes_max));
    for (unsigned i = 0; i < n; ++i) {
        char* const start = static_cast<page*>(frames[i])->start;
        pages_.free(home_of(start), start, nr_pages(order));
    }
}

void thread_heap::free_frame(page& first, unsigned order)
{
    mutex_guard guard(lock);
    if (!bins_.frames[order].push(&first))
        keep_frame(first, order);
}

/// Several memory nodes: frames of other nodes than this thread's go back; returns how many are left.
unsigned thread_heap::keep_local(void** frames, unsigned n, unsigned order)
{
    if (nr_nodes() == 1) [[likely]]
        return n;
    const auto node_of_frame = [](void* first) {
        return node_of(static_cast<page*>(first)->start);
    };
    const unsigned kept = sort_by_node(frames, n, current_node(), node_of_frame);
    give_frames(frames + kept, n - kept, order);
    return kept;
}

/// The bin is full, or has no sheaf: the older half goes to the pageset.
void thread_heap::keep_frame(page& first, unsigned order)
{
    bin& mine = bins_.frames[order];
    const unsigned capacity = frames_to_keep(order);
    void* frames[sheaf_capacity_max];
    unsigned n = 0;
    sheaf* s = detach(mine);
    if (s != nullptr)
        n = keep_local(frames, empty(*s, frames, capacity), order);
    else if ((s = take_spare()) != nullptr)
        reset(*s, capacity);
    if (s == nullptr) {
        void* only = &first;
        return give_frames(&only, 1, order);
    }
    const unsigned kept = n < capacity ? n / 2 : capacity / 2;
    give_frames(frames + kept, n - kept, order);
    if (kept != 0)
        fill(*s, frames, kept);
    attach(mine, *s);
    mine.push(&first);
}

void thread_heap::drain_frames()
{
    for (unsigned order = 0; order < nr_pageset_orders; ++order) {
        sheaf* s = detach(bins_.frames[order]);
        if (s == nullptr)
            continue;
        void* frames[sheaf_capacity_max];
        const unsigned n = empty(*s, frames, 1);
        give_frames(frames, n, order);
        put_spare(s);
    }
}

/// From a thread that may be running: all but the last blocks of each order.
void thread_heap::steal_frames()
{
    steal(bins_.frames, [this](unsigned order, void* const* frames, unsigned n)
                            BSL_TSA(no_thread_safety_analysis) { give_frames(frames, n, order); });
}

std::size_t thread_heap::nr_frame_pages() const
{
    std::size_t sum = 0;
    for (unsigned order = 0; order < nr_pageset_orders; ++order) {
        const object_slot* at = bins_.frames[order].top.load(std::memory_order_acquire);
        while ((--at)->load(std::memory_order_relaxed) != nullptr)
            sum += nr_pages(order);
    }
    return sum;
}

} // namespace bsl
