#include "heap/large_cache.hpp"

#include "host/thread.hpp"

#include <algorithm>

namespace bsl
{

constinit large_bounds bounds_of_large{thread_large_bytes_max >> page_shift,
                                       thread_largest_max >> page_shift};

void large_cache::open()
{
    if (!is_closed())
        return;
    page* head = in_doubt_.load(std::memory_order_acquire);
    if (head != nullptr && !robbed_.test(slot_in_doubt_))
        slots_[slot_in_doubt_].store(head, std::memory_order_relaxed);
    in_doubt_.store(nullptr, std::memory_order_relaxed);
    robbed_ = {};
    closed_.store(false, std::memory_order_relaxed);
    sum_ = 0;
    for (unsigned c = nr_slab_classes; c < nr_classes; ++c)
        sum_ += pages_of(c);
}

bool large_cache::begin_theft()
{
    const auto is_kept = [](const std::atomic<page*>& slot) {
        return slot.load(std::memory_order_relaxed) != nullptr;
    };
    if (std::none_of(slots_, slots_ + nr_slots, is_kept))
        return false;
    closed_.store(true, std::memory_order_relaxed);
    return host::memory_barrier_everywhere();
}

} // namespace bsl
