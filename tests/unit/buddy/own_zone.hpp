#pragma once

/// A zone for one test: the arenas are the process's, the zone is not.

#include "arena/arena.hpp"
#include "arena/mem_section.hpp"
#include "buddy/zone.hpp"

#include <cstddef>
#include <cstdlib>

class own_zone
{
public:
    /// Grows the arenas if need be.
    char* alloc(unsigned order, bsl::migrate_type type)
    {
        return with_room([&]() { return zone_.alloc_block(order, type); });
    }

    char* alloc_run(std::size_t pages, bsl::run_fit fit)
    {
        return with_room([&]() { return zone_.alloc_run(pages, fit); });
    }

    /// Gives pages back that were written to.
    void free_dirty(char* at, std::size_t pages)
    {
        bsl::pageblock& block = bsl::pageblock_of(at);
        block.dirty.set(bsl::address_to_pfn(at) % bsl::pages_per_pageblock, pages);
        free_clean(at, pages);
    }

    /// Gives pages back, as dirty as they are said to be.
    void free_clean(char* at, std::size_t pages)
    {
        bsl::mutex_guard guard(zone_.lock);
        zone_.free_run(at, pages);
    }

    char* alloc_adjacent(std::size_t nr)
    {
        bsl::mutex_guard guard(zone_.lock);
        return zone_.alloc_adjacent_blocks(nr);
    }

    char* take_resident(bsl::migrate_type type, unsigned min_order, unsigned& order)
    {
        bsl::mutex_guard guard(zone_.lock);
        return zone_.take_resident(type, min_order, order);
    }

    unsigned resident_order(unsigned least, unsigned most)
    {
        bsl::mutex_guard guard(zone_.lock);
        return zone_.resident_order(least, most);
    }

    bool extend_run(char* end, std::size_t pages)
    {
        bsl::mutex_guard guard(zone_.lock);
        return zone_.extend_run(end, pages);
    }

    bsl::pageblock* release_block()
    {
        bsl::mutex_guard guard(zone_.lock);
        return zone_.release_block();
    }

    std::size_t nr_free_blocks(unsigned order, bsl::residency kind)
    {
        bsl::mutex_guard guard(zone_.lock);
        return zone_.nr_free_blocks(order, kind);
    }

    void validate()
    {
        bsl::mutex_guard guard(zone_.lock);
        zone_.validate();
    }

    const bsl::zone_counts& counts() const { return zone_.counts(); }
    bsl::zone& get() { return zone_; }

private:
    template <typename Attempt>
    char* with_room(Attempt attempt)
    {
        for (;;) {
            {
                bsl::mutex_guard guard(zone_.lock);
                if (char* at = attempt())
                    return at;
            }
            if (!bsl::grow_arenas(1))
                std::abort();
        }
    }

    bsl::zone zone_;
};
