#pragma once

/// The buddy system of one pageblock.
///
/// A free block of order n has 2^n pages and starts at a page whose number is a multiple of 2^n.
/// Its buddy is the other half of the block of order n + 1 that it came from:
///
///     buddy of page p at order n  =  p ^ 2^n
///
/// Two free buddies are never left apart: they are one block of the next order.  The largest block
/// is the pageblock itself, so that everything here touches one pageblock alone.
///
///     take_block(1) where only an order-3 block is free:
///
///         |#######3#######|    ->   |#1#|-1-|---2---|
///                                   taken  left free: the other half of every split
///
/// Free blocks are bits, not list nodes: one bitmap for resident and one for clean blocks, with a
/// stretch of bits for each order.  The first set bit is the lowest address, which packs blocks
/// towards the start of the pageblock, and a free page's struct page is not touched at all.
///
/// All functions: the caller holds the zone's lock.

#include "arena/page.hpp"

namespace bsl
{

/// Has the pageblock a free block of at least `order` of this residency?
bool has_block(const pageblock& block, unsigned order, residency kind);

/// Largest order with a free block of this residency; -1 if there is none.
int largest_order(const pageblock& block, residency kind);

/// Takes a block of 2^order pages out of the smallest free block that has one (has_block() is true).
/// Splits keep the half with more resident pages.  Returns the number of its first page.
unsigned take_block(pageblock& block, unsigned order, residency kind);

/// Takes exactly the pages [first, first + pages) if all of them are free; splits what they are part
/// of.  False, and nothing changed, if one is not.
bool take_pages(pageblock& block, unsigned first, unsigned pages);

/// Free pages that follow each other.
struct found_run
{
    unsigned first;    ///< page number
    unsigned nr_clean; ///< of the pages asked for; more than those: there is no such run
};

/// Finds `pages` free pages in a run of at least `room`: those that need the fewest page faults, then
/// those of the shortest run.  A search in vain lowers longest_run, so that there is no second one.
found_run find_run(pageblock& block, unsigned pages, unsigned room);

/// Gives a block back and merges it with free buddies.
void give_block(pageblock& block, unsigned first, unsigned order);

/// All pages of a pageblock that is wholly free may hold memory.
void count_all_dirty(pageblock& block);

/// Aborts if a free block lies in another, has a free buddy, or is counted wrongly.
void validate(const pageblock& block);

} // namespace bsl
