/*
 * The books: every byte that is mapped, in one place.
 *
 * What is left when objects and holes are taken from a slab's memory is free memory in slabs; so the sum
 * is right whatever the figures are, and no part is below zero.
 */
#include "proc/snapshot.hpp"

namespace bsl
{

namespace
{

std::size_t smaller(std::size_t a, std::size_t b)
{
    return a < b ? a : b;
}

} // namespace

books snapshot::balance() const
{
    books sum{};
    std::size_t own_pages = 0;
    for (const cache_figures& c : caches) {
        // An own object is metadata, whoever has it.
        const std::size_t used = c.is_own ? c.nr_resident << page_shift : c.taken_bytes();
        const std::size_t rest = c.bytes() - smaller(used, c.bytes());
        const std::size_t holes = smaller((c.nr_pages - c.nr_resident) << page_shift, rest);
        sum.returned += holes;
        if (c.is_own) {
            own_pages += c.bytes() - holes;
            continue;
        }
        sum.live += c.live_bytes();
        sum.cached += c.cached_bytes();
        sum.slab_free += rest - holes;
    }
    sum.live += all.nr_run_pages << page_shift;
    sum.free_pages = (all.nr_free_resident + nr_listed_pages) << page_shift;
    sum.reserve = all.nr_reserve_pages << page_shift;
    sum.live_windows = live_window_bytes;
    sum.cached_windows = cached_window_bytes;
    sum.metadata = table_bytes + own_pages;
    sum.returned += all.clean_bytes();
    sum.moving = ((all.nr_elsewhere - nr_listed_pages) << page_shift) - lent_bytes;
    sum.mapped = all.mapped() - lent_bytes + table_bytes + live_window_bytes + cached_window_bytes;
    return sum;
}

} // namespace bsl
