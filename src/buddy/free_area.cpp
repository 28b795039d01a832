#include "buddy/free_area.hpp"

#include "base/check.hpp"
#include "base/probe.hpp"

namespace bsl
{

namespace
{

unsigned index(residency kind)
{
    return static_cast<unsigned>(kind);
}

std::size_t bit_of(unsigned first, unsigned order)
{
    return free_map_start(order) + (first >> order);
}

residency residency_of(const pageblock& block, unsigned first, unsigned order)
{
    const std::size_t end = first + nr_pages(order);
    return block.dirty.find(first, end, true) == end ? residency::clean : residency::resident;
}

void insert(pageblock& block, unsigned first, unsigned order)
{
    const unsigned kind = index(residency_of(block, first, order));
    block.free_map[kind].set(bit_of(first, order));
    ++block.nr_blocks[kind][order];
    block.orders_free[kind] = static_cast<std::uint16_t>(block.orders_free[kind] | 1u << order);
}

void remove(pageblock& block, unsigned first, unsigned order, unsigned kind)
{
    VM_BUG_ON(!block.free_map[kind].test(bit_of(first, order)));
    block.free_map[kind].clear(bit_of(first, order));
    if (--block.nr_blocks[kind][order] == 0)
        block.orders_free[kind] =
            static_cast<std::uint16_t>(block.orders_free[kind] & ~(1u << order));
}

/// Removes the block if it is free as one of this order.
bool remove_if_free(pageblock& block, unsigned first, unsigned order)
{
    for (unsigned kind = 0; kind < nr_residencies; ++kind) {
        if (block.free_map[kind].test(bit_of(first, order))) {
            remove(block, first, order, kind);
            return true;
        }
    }
    return false;
}

void count_free(pageblock& block, unsigned first, unsigned order, bool now_free)
{
    const auto pages = static_cast<unsigned>(nr_pages(order));
    const auto dirty = static_cast<unsigned>(block.dirty.count(first, pages));
    if (now_free)
        block.free_pages.set(first, pages);
    else
        block.free_pages.clear(first, pages);
    block.nr_free =
        static_cast<std::uint16_t>(now_free ? block.nr_free + pages : block.nr_free - pages);
    block.nr_dirty_free = static_cast<std::uint16_t>(now_free ? block.nr_dirty_free + dirty
                                                              : block.nr_dirty_free - dirty);
}

/// The pages [first, first + pages) are free now: with their neighbours, the longest run?
void count_run(pageblock& block, std::size_t first, std::size_t pages)
{
    const std::size_t start = block.free_pages.find_back(first, false);
    const std::size_t end = block.free_pages.find(first + pages, pages_per_pageblock, false);
    if (end - start > block.longest_run)
        block.longest_run = static_cast<std::uint16_t>(end - start);
}

} // namespace

bool has_block(const pageblock& block, unsigned order, residency kind)
{
    return (block.orders_free[index(kind)] >> order) != 0;
}

int largest_order(const pageblock& block, residency kind)
{
    const std::uint16_t orders = block.orders_free[index(kind)];
    return orders == 0 ? -1 : static_cast<int>(ilog2(orders));
}

unsigned take_block(pageblock& block, unsigned order, residency kind)
{
    const unsigned which = index(kind);
    VM_BUG_ON(!has_block(block, order, kind));
    unsigned from = order + lowest_bit(block.orders_free[which] >> order);

    const std::size_t start = free_map_start(from);
    const std::size_t end = start + (pages_per_pageblock >> from);
    const std::size_t bit = block.free_map[which].find(start, end, true);
    auto first = static_cast<unsigned>((bit - start) << from);
    remove(block, first, from, which);

    if (from != order)
        BSL_PROBE3(block_split, block.start, from, order);
    while (from > order) {
        --from;
        const std::size_t half = nr_pages(from);
        const auto upper = static_cast<unsigned>(first + half);
        const bool take_upper = block.dirty.count(upper, half) > block.dirty.count(first, half);
        insert(block, take_upper ? first : upper, from);
        if (take_upper)
            first = upper;
    }
    count_free(block, first, order, false);
    return first;
}

void give_block(pageblock& block, unsigned first, unsigned order)
{
    VM_BUG_ON((first & (nr_pages(order) - 1)) != 0);
    count_free(block, first, order, true);
    count_run(block, first, nr_pages(order));
    while (order < max_page_order) {
        const auto buddy = static_cast<unsigned>(first ^ nr_pages(order));
        if (!remove_if_free(block, buddy, order))
            break;
        first &= buddy; // the merged block starts at the lower half
        ++order;
        BSL_PROBE3(block_merge, block.start, first, order);
    }
    insert(block, first, order);
}

namespace
{

/// Order of the free block that page `number` is part of; nr_page_orders if it is not free.
unsigned order_of_free(const pageblock& block, unsigned number)
{
    for (unsigned order = 0; order < nr_page_orders; ++order) {
        const std::size_t bit = bit_of(number, order);
        if (block.free_map[0].test(bit) || block.free_map[1].test(bit))
            return order;
    }
    return nr_page_orders;
}

/// Puts the free pages [first, end) that a split has left over back, as aligned blocks.
void insert_rest(pageblock& block, unsigned first, unsigned end)
{
    while (first != end) {
        const unsigned aligned = first == 0 ? max_page_order : lowest_bit(first);
        const unsigned fits = ilog2(end - first);
        const unsigned order = aligned < fits ? aligned : fits;
        insert(block, first, order);
        first += static_cast<unsigned>(nr_pages(order));
    }
}

} // namespace

bool take_pages(pageblock& block, unsigned first, unsigned pages)
{
    const unsigned end = first + pages;
    if (end > pages_per_pageblock)
        return false;
    if (block.free_pages.find(first, end, false) != end)
        return false;
    const auto dirty = block.dirty.count(first, pages);
    for (unsigned at = first; at < end;) {
        const unsigned order = order_of_free(block, at);
        const auto start = static_cast<unsigned>(round_down(at, nr_pages(order)));
        const auto stop = static_cast<unsigned>(start + nr_pages(order));
        remove_if_free(block, start, order);
        insert_rest(block, start, at);
        insert_rest(block, end < stop ? end : stop, stop);
        at = stop;
    }
    block.free_pages.clear(first, pages);
    block.nr_free = static_cast<std::uint16_t>(block.nr_free - pages);
    block.nr_dirty_free = static_cast<std::uint16_t>(block.nr_dirty_free - dirty);
    return true;
}

found_run find_run(pageblock& block, unsigned pages, unsigned room)
{
    constexpr auto end = static_cast<unsigned>(pages_per_pageblock);
    found_run best{0, end + 1};
    if (block.longest_run < room)
        return best;
    unsigned best_length = 0;
    bitmap<pages_per_pageblock> starts =
        block.free_pages; // most runs are too short to be looked at
    starts.keep_starts(room);
    for (auto start = static_cast<unsigned>(starts.find(0, end, true)); start != end;) {
        const auto last = static_cast<unsigned>(starts.find(start, end, false)) - 1;
        const unsigned stop = last + room;
        // Not all of a longer run need hold memory: begin where it does.
        auto first = static_cast<unsigned>(block.dirty.find(start, stop - room, true));
        const auto clean = static_cast<unsigned>(pages - block.dirty.count(first, pages));
        if (clean == pages)
            first = start;
        if (clean < best.nr_clean || (clean == best.nr_clean && stop - start < best_length)) {
            best = {first, clean};
            best_length = stop - start;
        }
        start = static_cast<unsigned>(starts.find(stop, end, true));
    }
    if (best_length == 0)
        block.longest_run = static_cast<std::uint16_t>(room - 1);
    return best;
}

void count_all_dirty(pageblock& block)
{
    const bool is_clean = !has_block(block, max_page_order, residency::resident);
    take_block(block, max_page_order, is_clean ? residency::clean : residency::resident);
    block.dirty.set(0, pages_per_pageblock);
    give_block(block, 0, max_page_order);
}

void validate(const pageblock& block)
{
    bitmap<pages_per_pageblock> seen{};
    std::size_t free = 0;
    std::size_t dirty = 0;
    for (unsigned order = 0; order < nr_page_orders; ++order) {
        std::size_t found[nr_residencies] = {};
        for (unsigned first = 0; first < pages_per_pageblock; first += 1u << order) {
            for (unsigned kind = 0; kind < nr_residencies; ++kind) {
                if (!block.free_map[kind].test(bit_of(first, order)))
                    continue;
                const std::size_t pages = nr_pages(order);
                VM_BUG_ON(seen.count(first, pages) != 0);
                VM_BUG_ON(index(residency_of(block, first, order)) != kind);
                seen.set(first, pages);
                free += pages;
                dirty += block.dirty.count(first, pages);
                ++found[kind];
                [[maybe_unused]] const std::size_t buddy =
                    bit_of(static_cast<unsigned>(first ^ pages), order);
                VM_BUG_ON(order < max_page_order &&
                          (block.free_map[0].test(buddy) || block.free_map[1].test(buddy)));
            }
        }
        for (unsigned kind = 0; kind < nr_residencies; ++kind) {
            VM_BUG_ON(found[kind] != block.nr_blocks[kind][order]);
            VM_BUG_ON((found[kind] != 0) != ((block.orders_free[kind] >> order & 1) != 0));
        }
    }
    VM_BUG_ON(free != block.nr_free);
    bitmap<pages_per_pageblock> longer = seen;
    longer.keep_starts(block.longest_run + std::size_t{1});
    VM_BUG_ON(longer.count(0, pages_per_pageblock) != 0);
    for (std::size_t number = 0; number < pages_per_pageblock; ++number)
        VM_BUG_ON(seen.test(number) != block.free_pages.test(number));
    VM_BUG_ON(dirty != block.nr_dirty_free);
}

} // namespace bsl
