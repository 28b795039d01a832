#pragma once

/// A thread's own store of free blocks of small order, as the kernel's per-CPU page lists.
///
/// Most blocks that slabs need or let go never see the zone's lock: they come from here, the last
/// freed first.  An empty list is filled by a batch, which doubles while the thread goes on taking
/// and halves when it gives; a full list is drained by half.
///
/// All blocks in a set are of one zone.  The kernel has a set for each zone and processor; here what is
/// freed of another zone goes there at once, and a set whose thread takes from another zone, since it has
/// moved to another node, gives everything back first.
///
/// Lock: the owner's thread lock.  Anybody who holds it may drain the set.

#include "buddy/zone.hpp"

namespace bsl
{

class pageset
{
public:
    /// A block of 2^order pages, aligned to its size; nullptr when the zone has none.
    char* alloc(zone& from, unsigned order, migrate_type type);

    /// Is there a block to be had without the zone's lock?
    bool has(const zone& from, unsigned order) const
    {
        return order < nr_pageset_orders && home_ == &from && orders_[order].count != 0;
    }

    /// Gives back a run of pages that lies in one block of the buddy system.
    void free(zone& to, char* start, std::size_t pages);

    /// Bytes of blocks of one order that may be kept.
    void set_bound(std::size_t bytes) { bound_ = bytes; }

    /// Gives everything back.
    void drain();

    /// Pages held.
    std::size_t nr_pages_held() const;

private:
    friend struct look; // heap/root.hpp

    struct block_stack
    {
        char* blocks[pageset_capacity] = {};
        unsigned char count = 0;
        unsigned char batch = 0; ///< log2 of what the next refill takes
    };

    static void drain_to(block_stack& stack, unsigned order, unsigned keep, zone& to);
    void move_to(zone& home);

    block_stack orders_[nr_pageset_orders];
    std::size_t bound_ = pageset_order_bytes_max;
    zone* home_ = &zone_normal; ///< whose blocks these are
};

} // namespace bsl
