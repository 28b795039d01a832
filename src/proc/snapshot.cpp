#include "proc/snapshot.hpp"

#include "proc/walker.hpp"

#include <cstring>

namespace bsl
{

namespace
{

/// Looks that take_snapshot() takes before it puts up with one that does not fit together.
constexpr unsigned attempts_max = 4;

} // namespace

// --- zones -------------------------------------------------------------------------------------

std::size_t zone_figures::nr_free_blocks(migrate_type type, unsigned order) const
{
    const auto& blocks = free_blocks[static_cast<std::size_t>(type)][order];
    return blocks[0] + blocks[1];
}

std::size_t zone_figures::nr_free_blocks(unsigned order) const
{
    std::size_t sum = order == max_page_order ? nr_untouched : 0;
    for (unsigned type = 0; type < nr_migrate_types; ++type)
        sum += nr_free_blocks(static_cast<migrate_type>(type), order);
    return sum;
}

bool walker::read_zones()
{
    const zone_array* zones = nullptr;
    if (!read(root_.zones, zones) || !read_array(zones, space_.zones))
        return false;
    for (unsigned number = 0; number < nr_zones_max; ++number) {
        if (space_.zones[number] == 0)
            continue;
        if (!from_.read_object(space_.zones[number], space_.one_zone))
            return false;
        to_.zones[number].exists = true;
        to_.zones[number].counts = space_.one_zone->counts();
    }
    return true;
}

namespace
{

void add(zone_figures& sum, const zone_figures& part)
{
    sum.exists = true;
    sum.nr_blocks += part.nr_blocks;
    sum.nr_online += part.nr_online;
    sum.nr_given_back += part.nr_given_back;
    sum.nr_untouched += part.nr_untouched;
    for (unsigned type = 0; type < nr_migrate_types; ++type) {
        sum.nr_blocks_of_type[type] += part.nr_blocks_of_type[type];
        for (unsigned order = 0; order < nr_page_orders; ++order) {
            for (unsigned kind = 0; kind < nr_residencies; ++kind)
                sum.free_blocks[type][order][kind] += part.free_blocks[type][order][kind];
        }
    }
    sum.nr_free_clean += part.nr_free_clean;
    sum.nr_free_resident += part.nr_free_resident;
    sum.nr_run_pages += part.nr_run_pages;
    sum.nr_reserve_pages += part.nr_reserve_pages;
    sum.nr_elsewhere += part.nr_elsewhere;
    const bool is_first = sum.first_address == 0 ||
                          (part.first_address != 0 && part.first_address < sum.first_address);
    sum.first_address = is_first ? part.first_address : sum.first_address;
    sum.counts.nr_used_peak += part.counts.nr_used_peak;
    sum.counts.nr_taken_again += part.counts.nr_taken_again;
    sum.counts.nr_splits += part.counts.nr_splits;
}

} // namespace

void walker::add_up_zones()
{
    for (const zone_figures& z : to_.zones) {
        if (z.exists)
            add(to_.all, z);
    }
}

// --- counters and arenas -----------------------------------------------------------------------

bool walker::read_counters()
{
    arena_state arenas{};
    reclaim_state reclaim{};
    const std::atomic<std::size_t>* memblock = nullptr;
    const vmalloc_counts* windows = nullptr;
    std::size_t offline = 0;
    std::size_t memblock_bytes = 0;
    if (!read(root_.arenas, arenas) || !read(arenas.mapped, mapped_) ||
        !read(arenas.offline, offline) || !read(arenas.tables, to_.table_bytes) ||
        !read(root_.memblock_bytes, memblock) || !read(memblock, memblock_bytes) ||
        !read(root_.reclaim, reclaim) || !read(reclaim.bytes, to_.returned_bytes) ||
        !read(reclaim.calls, to_.returned_calls) || !read(root_.vmalloc, windows) ||
        !read(windows, to_.vmalloc))
        return false;
    mapped_ -= offline;
    to_.table_bytes += memblock_bytes;
    to_.returned_bytes += to_.vmalloc.returned_bytes;
    to_.returned_calls += to_.vmalloc.returned_calls;
    return true;
}

namespace
{

bool is_possible(const arena& a)
{
    const std::uintptr_t start = address_of(a.start);
    return start % pageblock_size == 0 && start < addresses_end &&
           a.nr_blocks <= (addresses_end - start) / pageblock_size;
}

std::uintptr_t end_of(const arena& a)
{
    return address_of(a.start) + a.nr_blocks * pageblock_size;
}

} // namespace

/// Copies the arenas into the workspace, by ascending address.
bool walker::collect_arenas()
{
    arena_state state{};
    const arena* at = nullptr;
    if (!read(root_.arenas, state) || !read(state.newest, at))
        return false;
    for (std::size_t i = 0; at != nullptr && i < arenas_max; ++i) {
        arena one{};
        if (!read(at, one))
            return false;
        at = one.next;
        add_arena(one);
    }
    return true;
}

/// Arenas do not overlap: each address is looked at once.
void walker::add_arena(const arena& one)
{
    std::size_t& nr = to_.nr_arenas;
    // The newest comes first, and mostly lies last.
    std::size_t place = 0;
    while (place < nr && space_.arenas[place].start < one.start)
        ++place;
    if (!is_possible(one) ||
        (place != 0 && end_of(space_.arenas[place - 1]) > address_of(one.start)) ||
        (place != nr && end_of(one) > address_of(space_.arenas[place].start))) {
        is_torn_ = true;
        return;
    }
    for (std::size_t i = nr; i > place; --i)
        space_.arenas[i] = space_.arenas[i - 1];
    space_.arenas[place] = one;
    ++nr;
}

bool walker::walk_arena(const arena& of)
{
    zone_figures& home = to_.zones[of.zone < nr_zones_max ? of.zone : malloc_zone];
    home.exists = true; // if it was made since the zones were read
    home.nr_blocks += of.nr_blocks;
    if (home.first_address == 0)
        home.first_address = address_of(of.start);
    zone_ = &home;
    const std::size_t nr_used = smaller(of.nr_handed_out, of.nr_blocks);
    std::size_t i = 0;
    for (; i < nr_used; ++i) {
        if (!read(of.blocks + i, space_.block))
            return false;
        // Each says where it is: a number that is too large does not lead far.
        if (space_.block->start != of.start + i * pageblock_size) {
            is_torn_ = true;
            break;
        }
        if (!walk_block())
            return false;
    }
    home.nr_untouched += of.nr_blocks - i;
    return true;
}

// --- the whole ---------------------------------------------------------------------------------

/// What cannot be true at once was read at different times: cuts it off, and says so.
void walker::settle()
{
    to_.is_exact = !is_torn_ && mapped_ == to_.all.mapped() &&
                   to_.live_window_bytes == to_.vmalloc.live_bytes &&
                   to_.cached_window_bytes == to_.vmalloc.cached_bytes;
    for (cache_figures& c : to_.caches) {
        const std::size_t most = c.nr_objects - c.nr_free;
        to_.is_exact = to_.is_exact && c.nr_cached <= most;
        c.nr_cached = smaller(c.nr_cached, most);
        to_.nr_holes += c.nr_pages - c.nr_resident;
    }
    const std::size_t lent = to_.lent_bytes >> page_shift;
    to_.is_exact = to_.is_exact && lent + to_.nr_listed_pages == to_.all.nr_elsewhere;
    to_.lent_bytes = smaller(lent, to_.all.nr_elsewhere) << page_shift;
    to_.nr_listed_pages =
        smaller(to_.nr_listed_pages, to_.all.nr_elsewhere - (to_.lent_bytes >> page_shift));
}

bool walker::walk()
{
    std::memset(static_cast<void*>(&to_), 0, sizeof to_);
    if (!read_counters() || !read_zones() || !read_caches() || !collect_arenas())
        return false;
    for (std::size_t i = 0; i < to_.nr_arenas; ++i) {
        if (!walk_arena(space_.arenas[i]))
            return false;
    }
    if (!walk_barns())
        return false;
    add_up_zones();
    settle();
    return true;
}

bool walk(const memory_source& from, const heap_root_table& root, workspace& space, snapshot& to,
          const visitor& seen)
{
    return walker(from, root, space, to, seen).walk();
}

bool take_snapshot(const memory_source& from, const heap_root_table& root, workspace& space,
                   snapshot& to)
{
    bool any = false;
    for (unsigned i = 0; i < attempts_max && !(any && to.is_exact); ++i) {
        snapshot& next = any ? space.again : to;
        if (!walk(from, root, space, next, {}))
            continue; // what an earlier attempt saw is better than nothing
        if (any)
            to = next;
        any = true;
    }
    return any;
}

} // namespace bsl
