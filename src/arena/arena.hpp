#pragma once

/// Arenas: stretches of address space, cut into pageblocks.
///
/// An arena is a multiple of 4 MiB, aligned to 4 MiB, mapped readable and writable; its tables
/// (struct pages and pageblocks) are a mapping of their own.  Arenas follow each other in memory
/// where possible, so that the kernel keeps one VMA for them all and free pageblocks of two can form
/// one run.  They grow geometrically; when the system refuses, the size is halved down to one
/// pageblock.
///
/// A pageblock starts offline.  bring_online() hands them out one by one, from the lowest address
/// on: a large arena costs no tables before its pages are used.  take_offline() gives a wholly free
/// one back, addresses and all.
///
/// Lock: the arena lock guards the list and the cursor; it is never held across a system call.

#include "arena/page.hpp"
#include "locking/mutex.hpp"

#include <atomic>
#include <cstddef>

namespace bsl
{

struct arena
{
    char* start;
    std::size_t nr_blocks;
    std::size_t nr_handed_out; ///< blocks that bring_online() returned so far.  Lock: arena_lock
    pageblock* blocks;         ///< nr_blocks of them
    arena* next;               ///< older one; constant
    std::uint8_t zone;         ///< number of the zone that its pageblocks are for
};

extern constinit mutex arena_lock;

/// The first arena decides where the class window lies; whoever comes meanwhile waits for it.  The one
/// lock that is held across system calls, once, in a process that has no arena yet.
extern constinit mutex placing_lock;

/// The zone of malloc on the first node.  Others have numbers above it.
inline constexpr std::uint8_t malloc_zone = 0;

/// The next pageblock for this zone, or nullptr when its arenas are used up.
pageblock* bring_online(std::uint8_t zone = malloc_zone);

/// Maps a new arena of at least `min_blocks` pageblocks for one of malloc's zones, on a node that its
/// memory is to come from.  False when the system refuses.  No lock may be held.
bool grow_arenas(std::size_t min_blocks, std::uint8_t zone = malloc_zone, unsigned node = 0);

/// Makes an arena of memory that the caller has mapped, aligned to a pageblock, for any zone.
/// False without memory for the tables.  No lock may be held.
bool add_arena(char* start, std::size_t nr_blocks, std::uint8_t zone);

/// Gives a wholly free pageblock that its zone has let go back to the system.  False where the kernel does not take it,
/// which would have to split a mapping and has no more: it is as it was then.  No lock may be held.
bool take_offline(pageblock& block);

/// Names the arenas that were there before the parameters were read (naming.hpp).
void name_arenas();

/// Sums over all arenas.
struct arena_totals
{
    std::size_t nr_arenas;
    std::size_t mapped;      ///< bytes of arenas
    std::size_t offline;     ///< bytes thereof that were given back, addresses and all
    std::size_t table_bytes; ///< bytes mapped for struct pages and pageblocks
    const char* lowest;
    const char* end;
};
arena_totals totals_of_arenas();

/// Calls fn(arena&) for every arena, newest first.  Takes no lock: arenas are never freed.
arena* newest_arena();

/// The struct page of an address in a pageblock that is online, or nullptr.
page* virt_to_page(const void* address);

/// Where the room's state lies, for readers of this process's memory (heap/root.hpp).
struct arena_state
{
    const std::atomic<arena*>* newest;
    const std::atomic<std::size_t>* mapped;
    const std::atomic<std::size_t>* offline;
    const std::atomic<std::size_t>* tables;
};
extern const arena_state state_of_arenas;

/// The other way: the address of the memory that a struct page describes.
char* page_address(page& of);

} // namespace bsl
