#include "arena/arena.hpp"

#include "arena/class_map.hpp"
#include "arena/mem_section.hpp"
#include "arena/naming.hpp"
#include "arena/node.hpp"
#include "base/check.hpp"
#include "base/probe.hpp"
#include "config/params.hpp"
#include "host/vm.hpp"

#include <atomic>
#include <cstddef>

namespace bsl
{

constinit mutex arena_lock{lock_rank::arena};
constinit mutex placing_lock{lock_rank::zone};

namespace
{

constinit std::atomic<arena*> arenas{nullptr};
constinit std::atomic<std::size_t> mapped_bytes{0};
constinit std::atomic<std::size_t> offline_bytes{0};
constinit std::atomic<std::size_t> table_bytes{0};
/// Where the next arena goes: behind the last one, in the class window.  Who grows claims a place first: two
/// who tried the same one would find one of them outside of the window, where each free takes the slow way.
constinit std::atomic<char*> next_place{nullptr};
constinit list_head given_back; ///< offline pageblocks that were in a zone.  Lock: arena_lock
constinit list_head regained;   ///< such ones, mapped again, for bring_online().  Lock: arena_lock

pageblock* block_of_first_link(list_head* node)
{
    return reinterpret_cast<pageblock*>(reinterpret_cast<char*>(node) - offsetof(pageblock, link));
}

/// How far below this library the first arena is put: in the large gap between the program's heap
/// and the mappings that the kernel stacks downwards, so that arenas can follow each other upwards.
/// The library's own random address makes this one random too.
constexpr std::uintptr_t gap_below_library = std::uintptr_t{8} << 40;

char* first_place()
{
    const auto here = reinterpret_cast<std::uintptr_t>(&arenas);
    if (address_bits < 47 || here < 2 * gap_below_library)
        return nullptr;
    return reinterpret_cast<char*>(round_down(here - gap_below_library, gib));
}

/// nullptr: the system chooses.
char* claim_place(std::size_t size)
{
    if (next_place.load(std::memory_order_relaxed) == nullptr)
        return first_place();
    return next_place.fetch_add(static_cast<std::ptrdiff_t>(size), std::memory_order_relaxed);
}

/// Nothing was mapped there: the next one may have it, unless others have claimed what follows.
void disclaim_place(char* place, std::size_t size)
{
    if (place == nullptr)
        return;
    char* end = place + size;
    next_place.compare_exchange_strong(end, place, std::memory_order_relaxed);
}

/// The tables of an arena, all zeros: struct pages, then pageblocks, then the arena itself.
struct table_layout
{
    explicit table_layout(std::size_t nr_blocks)
        : pages(nr_blocks * pages_per_pageblock * sizeof(page)),
          blocks(nr_blocks * sizeof(pageblock)),
          total(round_up(pages + blocks + sizeof(arena), host::page_size()))
    {}

    std::size_t pages;
    std::size_t blocks;
    std::size_t total;
};

/// Builds the tables for the memory at `start`.  nullptr when the system refuses.
arena* make_tables(char* start, std::size_t nr_blocks)
{
    const table_layout layout(nr_blocks);
    auto* tables = static_cast<char*>(host::map(nullptr, layout.total));
    if (tables == nullptr)
        return nullptr;
    host::advise_huge(tables, layout.total, false);
    name_mapping(tables, layout.total, name_of_tables);
    auto* blocks = reinterpret_cast<pageblock*>(tables + layout.pages);
    auto* made = reinterpret_cast<arena*>(tables + layout.pages + layout.blocks);
    *made = arena{start, nr_blocks, 0, blocks, nullptr, malloc_zone};

    const bool recorded = page_classes.cover(start, nr_blocks * pageblock_size) &&
                          set_owner(start, nr_blocks, blocks);
    if (!recorded) {
        host::unmap(tables, layout.total);
        return nullptr;
    }
    table_bytes.fetch_add(layout.total, std::memory_order_relaxed);
    return made;
}

/// Tables, and a place in the list: from now on bring_online() hands its pageblocks out.
arena* publish_arena(char* start, std::size_t nr_blocks, std::uint8_t zone)
{
    arena* made = make_tables(start, nr_blocks);
    if (made == nullptr)
        return nullptr;
    made->zone = zone;
    name_mapping(start, nr_blocks * pageblock_size, name_of_arenas);
    mapped_bytes.fetch_add(nr_blocks * pageblock_size, std::memory_order_relaxed);
    mutex_guard guard(arena_lock);
    made->next = arenas.load(std::memory_order_relaxed);
    arenas.store(made, std::memory_order_release);
    return made;
}

bool grow_by(std::size_t nr_blocks, std::uint8_t zone, unsigned node)
{
    const std::size_t size = nr_blocks * pageblock_size;
    char* place = claim_place(size);
    char* start = static_cast<char*>(host::map_aligned(place, size, pageblock_size));
    if (start == nullptr) {
        disclaim_place(place, size);
        return false;
    }
    const bool first = page_classes.span == 0;
    if (first && !page_classes.place(reinterpret_cast<std::uintptr_t>(start), start == place)) {
        host::unmap(start, size);
        return false;
    }
    host::advise_huge(start, size, false);
    bind_to_node(start, size, node);
    if (publish_arena(start, nr_blocks, zone) == nullptr) {
        host::unmap(start, size);
        disclaim_place(place, size);
        return false;
    }
    if (first)
        next_place.store(start + size, std::memory_order_relaxed);
    BSL_PROBE2(grow, start, size);
    return true;
}

/// Takes the first pageblock of a zone out of a list; nullptr if there is none.
pageblock* take_listed(list_head& list, std::uint8_t zone)
{
    for (list_head* node = list.front(); node != nullptr && node != &list; node = node->next) {
        pageblock* block = block_of_first_link(node);
        if (block->zone != zone)
            continue;
        list_head::remove(*node);
        return block;
    }
    return nullptr;
}

/// Maps a pageblock that was given back again, if its addresses are still free: its tables are there.
bool regain_block(std::uint8_t zone, unsigned node)
{
    pageblock* block = nullptr;
    {
        mutex_guard guard(arena_lock);
        block = take_listed(given_back, zone);
    }
    if (block == nullptr)
        return false;
    void* at = host::map(block->start, pageblock_size);
    const bool regain = at == block->start && set_owner(block->start, 1, block);
    if (regain) {
        host::advise_huge(at, pageblock_size, false);
        name_mapping(at, pageblock_size, name_of_arenas);
        bind_to_node(at, pageblock_size, node);
    }
    if (!regain && at != nullptr)
        host::unmap(at, pageblock_size);
    if (regain)
        offline_bytes.fetch_sub(pageblock_size, std::memory_order_relaxed);
    mutex_guard guard(arena_lock);
    (regain ? regained : given_back).insert_back(block->link[0]);
    return regain;
}

constinit std::atomic<bool> is_placed{false};

/// Maps an arena of `nr_blocks`, or of half as many and so on, but not of less than `min_blocks`.
bool grow_by_at_least(std::size_t nr_blocks, std::size_t min_blocks, std::uint8_t zone,
                      unsigned node)
{
    for (;; nr_blocks = nr_blocks / 2 < min_blocks ? min_blocks : nr_blocks / 2) {
        if (grow_by(nr_blocks, zone, node))
            return true;
        if (nr_blocks == min_blocks)
            return false;
    }
}

bool place_first_arena(std::size_t min_blocks)
{
    mutex_guard guard(placing_lock);
    if (is_placed.load(std::memory_order_relaxed))
        return true;
    const bool placed = grow_by_at_least(min_blocks, min_blocks, malloc_zone, 0);
    is_placed.store(placed, std::memory_order_release);
    return placed;
}

} // namespace

bool grow_arenas(std::size_t min_blocks, std::uint8_t zone, unsigned node)
{
    VM_BUG_ON(!lockdep::holds_nothing());
    if (!is_placed.load(std::memory_order_acquire)) {
        const bool placed = place_first_arena(min_blocks);
        if (!placed || zone == malloc_zone)
            return placed;
    }
    if (min_blocks == 1 && regain_block(zone, node))
        return true;
    const std::size_t mapped = mapped_bytes.load(std::memory_order_relaxed);
    std::size_t wanted = mapped / arena_growth_part;
    wanted = wanted < arena_size_min ? arena_size_min : wanted;
    wanted = wanted > arena_size_max ? arena_size_max : wanted;
    const std::size_t nr_blocks = div_round_up(wanted, pageblock_size);
    return grow_by_at_least(nr_blocks < min_blocks ? min_blocks : nr_blocks, min_blocks, zone,
                            node);
}

pageblock* bring_online(std::uint8_t zone)
{
    mutex_guard guard(arena_lock);
    if (pageblock* block = take_listed(regained, zone))
        return block;
    for (arena* a = arenas.load(std::memory_order_relaxed); a != nullptr; a = a->next) {
        if (a->nr_handed_out == a->nr_blocks || a->zone != zone)
            continue;
        const std::size_t i = a->nr_handed_out++;
        pageblock& block = a->blocks[i];
        block.start = a->start + i * pageblock_size;
        block.zone = zone;
        block.mem_map =
            reinterpret_cast<page*>(a->blocks) - (a->nr_blocks - i) * pages_per_pageblock;
        return &block;
    }
    return nullptr;
}

bool add_arena(char* start, std::size_t nr_blocks, std::uint8_t zone)
{
    VM_BUG_ON(!lockdep::holds_nothing());
    // The class window belongs around the arenas of malloc, and before anybody has a pointer to free.
    if (!is_placed.load(std::memory_order_acquire) && !place_first_arena(1))
        return false;
    return publish_arena(start, nr_blocks, zone) != nullptr;
}

bool take_offline(pageblock& block)
{
    VM_BUG_ON(!lockdep::holds_nothing());
    VM_BUG_ON(block.state != pageblock_state::offline);
    clear_owner(block.start, 1, &block);
    if (!host::unmap(block.start, pageblock_size)) {
        set_owner(block.start, 1, &block);
        return false;
    }
    block.dirty.clear(0, pages_per_pageblock);
    block.huge.store(huge_advice::none, std::memory_order_relaxed);
    host::discard(block.mem_map, pages_per_pageblock * sizeof(page));
    offline_bytes.fetch_add(pageblock_size, std::memory_order_relaxed);
    mutex_guard guard(arena_lock);
    given_back.insert_back(block.link[0]);
    return true;
}

void name_arenas()
{
    for (const arena* a = newest_arena(); a != nullptr; a = a->next) {
        name_mapping(a->start, a->nr_blocks * pageblock_size, name_of_arenas);
        char* const tables =
            reinterpret_cast<char*>(a->blocks) - a->nr_blocks * pages_per_pageblock * sizeof(page);
        name_mapping(tables, table_layout(a->nr_blocks).total, name_of_tables);
    }
}

arena* newest_arena()
{
    return arenas.load(std::memory_order_acquire);
}

arena_totals totals_of_arenas()
{
    arena_totals sum{};
    for (const arena* a = newest_arena(); a != nullptr; a = a->next) {
        const char* end = a->start + a->nr_blocks * pageblock_size;
        ++sum.nr_arenas;
        if (sum.lowest == nullptr || a->start < sum.lowest)
            sum.lowest = a->start;
        if (end > sum.end)
            sum.end = end;
    }
    sum.mapped = mapped_bytes.load(std::memory_order_relaxed);
    sum.offline = offline_bytes.load(std::memory_order_relaxed);
    sum.table_bytes = table_bytes.load(std::memory_order_relaxed);
    return sum;
}

page* virt_to_page(const void* address)
{
    const pageblock* block = owner_of(address).block;
    if (block == nullptr || block->mem_map == nullptr)
        return nullptr;
    return &page_of(*block, address);
}

constinit const arena_state state_of_arenas{&arenas, &mapped_bytes, &offline_bytes, &table_bytes};

char* page_address(page& of)
{
    const std::atomic_ref<char*> known(of.start);
    if (char* start = known.load(std::memory_order_relaxed))
        return start;
    for (const arena* a = newest_arena(); a != nullptr; a = a->next) {
        const std::size_t nr = a->nr_blocks * pages_per_pageblock;
        const page* pages = reinterpret_cast<const page*>(a->blocks) - nr;
        if (&of < pages || &of >= pages + nr)
            continue;
        char* start = a->start + (static_cast<std::size_t>(&of - pages) << page_shift);
        known.store(start, std::memory_order_relaxed);
        return start;
    }
    return nullptr;
}

} // namespace bsl
