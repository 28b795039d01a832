#include "heap/frame_reserve.hpp"

#include "buddy/zonelist.hpp"

#include <atomic>

namespace bsl::heap
{

namespace
{

using slot = std::atomic<page*>;

constinit slot slots[nr_pageset_orders][reserve_blocks_max] = {};
constinit std::atomic<page*> late{nullptr};
constinit std::atomic<bool> is_short{true}; ///< of something, or something is late
constinit std::atomic<std::size_t> nr_pages_held{0};

page* next_of(const page& late_one)
{
    return reinterpret_cast<page*>(late_one.lru.next);
}

/// In before it is there for others to take, and out after.
void enter(page& first, unsigned order)
{
    std::atomic_ref<page_state>(first.state).store(page_state::reserve, std::memory_order_relaxed);
    nr_pages_held.fetch_add(nr_pages(order), std::memory_order_relaxed);
}

void leave(page& first, unsigned order)
{
    std::atomic_ref<page_state>(first.state).store(page_state::free, std::memory_order_relaxed);
    nr_pages_held.fetch_sub(nr_pages(order), std::memory_order_relaxed);
}

bool put(page& first, unsigned order)
{
    for (unsigned i = 0; i < reserve_blocks[order]; ++i) {
        page* empty = nullptr;
        if (slots[order][i].compare_exchange_strong(empty, &first, std::memory_order_release,
                                                    std::memory_order_relaxed))
            return true;
    }
    return false;
}

/// Into an empty slot, or on the stack of late ones.
void put_back(page& first, unsigned order)
{
    if (put(first, order))
        return;
    // Nobody takes single ones off this stack, so that a block cannot come and go between two looks at
    // its top.
    page* top = late.load(std::memory_order_relaxed);
    do
        first.lru.next = reinterpret_cast<list_head*>(top);
    while (!late.compare_exchange_weak(top, &first, std::memory_order_release,
                                       std::memory_order_relaxed));
    is_short.store(true, std::memory_order_relaxed);
}

} // namespace

page* take_from_reserve(unsigned order, int node)
{
    if (order >= nr_pageset_orders)
        return nullptr;
    for (unsigned i = 0; i < reserve_blocks[order]; ++i) {
        slot& s = slots[order][i];
        if (s.load(std::memory_order_relaxed) == nullptr)
            continue;
        if (page* first = s.exchange(nullptr, std::memory_order_acquire)) {
            // It may be looked at now that it is nobody else's.
            if (node != any_node && node_of(first->start) != static_cast<unsigned>(node)) {
                put_back(*first, order);
                continue;
            }
            is_short.store(true, std::memory_order_relaxed);
            leave(*first, order);
            return first;
        }
    }
    return nullptr;
}

void give_to_reserve(page& first, unsigned order)
{
    enter(first, order);
    put_back(first, order);
}

void look_after_reserve(page* (*refill)(unsigned order), void (*take_late)(page& first))
{
    if (!is_short.load(std::memory_order_relaxed)) [[likely]]
        return;
    is_short.store(false, std::memory_order_relaxed);
    for (page* first = late.exchange(nullptr, std::memory_order_acquire); first != nullptr;) {
        page* next = next_of(*first);
        first->lru.next = nullptr;
        leave(*first, first->order);
        take_late(*first);
        first = next;
    }
    for (unsigned order = 0; order < nr_pageset_orders; ++order) {
        for (unsigned i = 0; i < reserve_blocks[order]; ++i) {
            if (slots[order][i].load(std::memory_order_relaxed) != nullptr)
                continue;
            page* first = refill(order);
            if (first == nullptr)
                return;
            enter(*first, order);
            if (put(*first, order))
                continue;
            leave(*first, order);
            take_late(*first);
        }
    }
}

std::size_t nr_reserve_pages()
{
    return nr_pages_held.load(std::memory_order_relaxed);
}

} // namespace bsl::heap
