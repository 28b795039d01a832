#include "proc/walker.hpp"
#include "slab/slab.hpp"

#include <cstring>

namespace bsl
{

namespace
{

bool is_free(const page_note& n)
{
    return n.use == page_role::free_clean || n.use == page_role::free_resident;
}

} // namespace

// --- pageblocks ---------------------------------------------------------------------------------

/// The pageblock that has been read.
bool walker::walk_block()
{
    const pageblock& block = *space_.block;
    if (block.state != pageblock_state::online) {
        ++zone_->nr_given_back;
        return true;
    }
    ++zone_->nr_online;
    ++zone_->nr_blocks_of_type[smaller(static_cast<std::size_t>(block.type), nr_migrate_types - 1)];
    mark_free_blocks(block);
    if (!read_pages(block))
        return false;
    walk_pages(block);
    if (seen_.block != nullptr)
        seen_.block(seen_.context, block, space_.notes, space_.pages);
    return true;
}

/// Notes the free pages; all others are elsewhere, so far.
void walker::mark_free_blocks(const pageblock& block)
{
    for (page_note& n : space_.notes)
        n = {page_role::elsewhere, false, 0, 0};
    const auto type = smaller(static_cast<std::size_t>(block.type), nr_migrate_types - 1);
    for (unsigned kind = 0; kind < nr_residencies; ++kind) {
        for (unsigned order = 0; order < nr_page_orders; ++order) {
            const std::size_t start = free_map_start(order);
            const std::size_t end = start + (pages_per_pageblock >> order);
            std::size_t bit = block.free_map[kind].find(start, end, true);
            for (; bit != end; bit = block.free_map[kind].find(bit + 1, end, true)) {
                ++zone_->free_blocks[type][order][kind];
                note(static_cast<unsigned>((bit - start) << order),
                     static_cast<unsigned>(nr_pages(order)), page_role::free_clean, 0, 0);
            }
        }
    }
    for (unsigned i = 0; i < pages_per_pageblock; ++i) {
        page_note& n = space_.notes[i];
        n.is_resident = block.dirty.test(i);
        if (n.use == page_role::free_clean && n.is_resident)
            n.use = page_role::free_resident;
    }
}

void walker::note(unsigned first, unsigned pages, page_role use, unsigned cache, unsigned fill)
{
    for (unsigned i = first; i < first + pages; ++i) {
        is_torn_ |= is_free(space_.notes[i]); // a page has one place
        space_.notes[i].use = use;
        space_.notes[i].cache = static_cast<std::uint16_t>(cache);
        space_.notes[i].fill = static_cast<std::uint8_t>(fill);
    }
}

/// Reads the struct pages that can say anything, by whole pages of them: those of free pages are not
/// touched by the process either.
bool walker::read_pages(const pageblock& block)
{
    constexpr std::size_t unit = bytes_per_page / sizeof(page);
    std::memset(static_cast<void*>(space_.pages), 0, sizeof space_.pages);
    std::size_t first = 0;
    std::size_t end = pages_per_pageblock;
    while (first < end && is_free(space_.notes[first]))
        ++first;
    while (end > first && is_free(space_.notes[end - 1]))
        --end;
    first = round_down(first, unit);
    end = round_up(end, unit);
    return first >= end ||
           from_.read(from_.context, address_of(block.mem_map) + first * sizeof(page),
                      space_.pages + first, (end - first) * sizeof(page));
}

// --- pages -------------------------------------------------------------------------------------

/// Pages at the start of a pageblock that belong to a run from before it.
unsigned walker::rest_of_run(const pageblock& block) const
{
    const std::uintptr_t start = address_of(block.start);
    if (run_end_ <= start)
        return 0;
    const std::size_t most = smaller((run_end_ - start) >> page_shift, pages_per_pageblock);
    unsigned i = 0;
    while (i < most && !is_free(space_.notes[i]) && space_.pages[i].state == page_state::free)
        ++i;
    return i;
}

/// Each page is counted once: a slab that was made after we saw its pages free takes them all.
void walker::walk_pages(const pageblock& block)
{
    unsigned i = rest_of_run(block);
    note(0, i, page_role::run, 0, 0);
    zone_->nr_run_pages += i;
    while (i < pages_per_pageblock) {
        const page_note& n = space_.notes[i];
        if (is_free(n)) {
            zone_->nr_free_resident += n.is_resident;
            zone_->nr_free_clean += !n.is_resident;
            ++i;
        } else if (space_.pages[i].state == page_state::slab) {
            i += walk_slab(i);
        } else if (space_.pages[i].state != page_state::free) {
            i += walk_run(i);
        } else {
            ++zone_->nr_elsewhere;
            ++i;
        }
    }
}

unsigned walker::walk_run(unsigned first)
{
    const page& head = space_.pages[first];
    const std::size_t pages = smaller(nr_pages_from_copy(head), std::size_t{1} << 32);
    const auto here = static_cast<unsigned>(smaller(pages, pages_per_pageblock - first));
    if (here == 0) {
        ++zone_->nr_elsewhere;
        return 1;
    }
    if (head.state == page_state::reserve) {
        note(first, here, page_role::reserve, 0, 0);
        zone_->nr_reserve_pages += here;
        return here;
    }
    run_end_ = address_of(space_.block->start) + ((first + pages) << page_shift);
    note(first, here, page_role::run, 0, 0);
    zone_->nr_run_pages += here;
    return here;
}

/// Counts a slab; returns its pages.
unsigned walker::walk_slab(unsigned first)
{
    const page& head = space_.pages[first];
    if (head.order > max_page_order || head.cache >= nr_all_caches ||
        to_.caches[head.cache].size == 0) {
        ++zone_->nr_elsewhere; // it was being made or taken down
        return 1;
    }
    cache_figures& sum = to_.caches[head.cache];
    const std::size_t pages = pages_of_slab(head, sum);
    const bool is_head = sum.is_single ? head.start == space_.block->start + (first << page_shift)
                                       : first % nr_pages(head.order) == 0;
    if (!is_head || pages == 0 || first + pages > pages_per_pageblock) {
        ++zone_->nr_elsewhere;
        return 1;
    }
    const auto objects = objects_of_slab(pages, sum);
    const auto nr_free = static_cast<unsigned>(smaller(head.nr_free, objects));
    const bool is_parked = sum.is_single && nr_free == 0 && head.free_objects[parked_word] != 0;
    sum.nr_slabs += 1;
    sum.nr_active_slabs += nr_free != objects;
    sum.nr_full_slabs += nr_free == 0;
    sum.nr_pages += pages;
    sum.nr_resident += space_.block->dirty.count(first, pages);
    sum.nr_objects += objects;
    sum.nr_free += nr_free;
    sum.nr_cached += is_parked;
    sum.nr_kept_pages += is_parked ? pages : 0;
    const page_role use = sum.is_own      ? page_role::own_slab
                          : sum.is_single ? page_role::single
                                          : page_role::slab;
    const unsigned taken = objects == 0 ? 0 : 255 * (objects - nr_free) / objects;
    note(first, static_cast<unsigned>(pages), use, head.cache, taken);
    if (sum.is_own)
        walk_own_objects(first, head.cache, objects);
    return static_cast<unsigned>(pages);
}

/// Threads and windows are objects like any other.
void walker::walk_own_objects(unsigned first, unsigned cache, unsigned objects)
{
    const bool is_thread = cache == nr_classes + unsigned(own_cache::thread_heap);
    const bool is_window = cache == nr_classes + unsigned(own_cache::vm_area);
    if (!is_thread && !is_window)
        return;
    page& head = space_.pages[first];
    const std::uintptr_t start = address_of(head.start) + head.colour * malloc_alignment;
    for (unsigned i = 0; i < objects; ++i) {
        if ((bitmap_word(head, i) & bit_in_word(i)) != 0)
            continue;
        const std::uintptr_t at = start + i * to_.caches[cache].size;
        if (is_thread)
            walk_thread(at);
        else
            walk_window(at);
    }
}

void walker::walk_window(std::uintptr_t at)
{
    if (!from_.read_object(at, space_.window))
        return;
    const vm_area& area = *space_.window;
    const bool is_live = area.state == vm_area_state::live || area.state == vm_area_state::moving;
    if (area.state == vm_area_state::unused || area.size > area.reserved ||
        area.reserved > addresses_end)
        return;
    to_.lent_bytes += smaller(area.lent_end, area.reserved);
    to_.reserved_bytes += area.reserved;
    if (!is_live && area.state != vm_area_state::cached)
        return;
    (is_live ? to_.nr_live_windows : to_.nr_cached_windows) += 1;
    (is_live ? to_.live_window_bytes : to_.cached_window_bytes) += area.size;
    if (seen_.window != nullptr)
        seen_.window(seen_.context, at, area);
}

} // namespace bsl
