#pragma once

/// Page frames for callers that can bear nothing: no lock, no system call, no page fault, in the middle
/// of anything, malloc included.  What the kernel keeps below the lowest watermark
/// (buddy/watermark.hpp).
///
///     slots    blocks of each small order, every page touched.  Taken and put by one atomic instruction
///     late     blocks given back when all slots were full, linked through their struct pages
///
/// All of them are in state `reserve`: so whoever reads struct pages from outside sees them.
///
/// The ordinary slow path of alloc_pages() fills empty slots and takes the late blocks back; it does so
/// the first time it runs, so that a program which uses page frames at all has a reserve.

#include "arena/page.hpp"
#include "heap/thread_heap.hpp"

namespace bsl::heap
{

/// A block of 2^order pages of a memory node (any_node: of whichever), now in state `free`; nullptr when the
/// reserve has none.
page* take_from_reserve(unsigned order, int node);

/// Takes a block in state `free`, order below nr_pageset_orders, of the zone of malloc.
void give_to_reserve(page& first, unsigned order);

/// Pages in the reserve; for reports.
std::size_t nr_reserve_pages();

/// Fills up what is missing by way of refill(order), which gives blocks or nullptr, and calls
/// take_late(page&) for what was given back late.  Cheap when there is nothing to do.
void look_after_reserve(page* (*refill)(unsigned order), void (*take_late)(page& first));

} // namespace bsl::heap
