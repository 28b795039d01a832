#include "buddy/pageset.hpp"

#include "base/check.hpp"

namespace bsl
{

namespace
{

/// A refill takes at most 2^2 blocks: half of what the list holds would leave no room for frees.
constexpr unsigned batch_shift_max = 2;

} // namespace

void pageset::move_to(zone& home)
{
    drain();
    home_ = &home;
}

char* pageset::alloc(zone& from, unsigned order, migrate_type type)
{
    if (order >= nr_pageset_orders) {
        mutex_guard guard(from.lock);
        return from.alloc_block(order, type);
    }
    if (home_ != &from) [[unlikely]]
        move_to(from);
    block_stack& stack = orders_[order];
    if (stack.count != 0)
        return stack.blocks[--stack.count];

    mutex_guard guard(from.lock);
    char* first = from.alloc_block(order, type);
    if (first == nullptr)
        return nullptr;
    // Blocks are stacked so that the lowest address is taken next.
    const std::size_t fit = bound_ / (nr_pages(order) << page_shift);
    const unsigned batch = (1u << stack.batch) - 1;
    const unsigned extra = batch < fit ? batch : static_cast<unsigned>(fit);
    for (unsigned i = extra; i != 0; --i) {
        char* block = from.alloc_block(order, type);
        if (block == nullptr)
            break;
        for (unsigned j = stack.count; j != 0; --j)
            stack.blocks[j] = stack.blocks[j - 1];
        stack.blocks[0] = block;
        ++stack.count;
    }
    if (stack.batch < batch_shift_max)
        ++stack.batch;
    return first;
}

void pageset::drain_to(block_stack& stack, unsigned order, unsigned keep, zone& to)
{
    if (stack.count <= keep)
        return;
    // The bottom of the stack was freed longest ago.
    const unsigned surplus = stack.count - keep;
    {
        mutex_guard guard(to.lock);
        for (unsigned i = 0; i < surplus; ++i)
            to.free_block(stack.blocks[i], order);
    }
    for (unsigned i = 0; i < keep; ++i)
        stack.blocks[i] = stack.blocks[surplus + i];
    stack.count = static_cast<unsigned char>(keep);
}

void pageset::free(zone& to, char* start, std::size_t pages)
{
    const unsigned order = ilog2(pages);
    if (!is_power_of_2(pages) || order >= nr_pageset_orders || home_ != &to) {
        mutex_guard guard(to.lock);
        to.free_run(start, pages);
        return;
    }
    VM_BUG_ON(address_to_pfn(start) % pages != 0);
    block_stack& stack = orders_[order];
    if (stack.batch != 0)
        --stack.batch;
    const std::size_t fit = bound_ / (pages << page_shift);
    const auto room = static_cast<unsigned>(fit < pageset_capacity ? fit : pageset_capacity);
    if (room == 0) {
        mutex_guard guard(to.lock);
        to.free_block(start, order);
        return;
    }
    if (stack.count >= room)
        drain_to(stack, order, room / 2, to);
    stack.blocks[stack.count++] = start;
}

void pageset::drain()
{
    for (unsigned order = 0; order < nr_pageset_orders; ++order)
        drain_to(orders_[order], order, 0, *home_);
}

std::size_t pageset::nr_pages_held() const
{
    std::size_t sum = 0;
    for (unsigned order = 0; order < nr_pageset_orders; ++order)
        sum += orders_[order].count * nr_pages(order);
    return sum;
}

} // namespace bsl
