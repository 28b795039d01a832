#include "proc/snapshot.hpp"

#include "slab/heap_slab.hpp"
#include "slab/slab.hpp"

#include <cstring>

namespace bsl
{

namespace
{

/// Looks that take_snapshot() takes before it puts up with one that does not fit together.
constexpr unsigned attempts_max = 4;

std::uintptr_t address_of(const void* p)
{
    return reinterpret_cast<std::uintptr_t>(p);
}

std::size_t smaller(std::size_t a, std::size_t b)
{
    return a < b ? a : b;
}

class walker
{
public:
    walker(const memory_source& from, const heap_root_table& root, workspace& space, snapshot& to,
           const visitor& seen)
        : from_(from), root_(root), space_(space), to_(to), seen_(seen)
    {}

    bool walk();

private:
    template <typename T>
    bool read(const void* at, T& to)
    {
        return from_.read_object(address_of(at), to);
    }

    bool read_counters();
    bool read_caches();
    bool collect_arenas(std::size_t& nr);
    bool walk_arena(const arena& of);
    bool walk_block(const void* at);
    void mark_free_blocks(const pageblock& block);
    bool read_pages(const pageblock& block);
    unsigned rest_of_run(const pageblock& block) const;
    void walk_pages(const pageblock& block);
    unsigned walk_slab(unsigned first);
    unsigned walk_run(unsigned first);
    void note(unsigned first, unsigned pages, page_role use, unsigned cache, unsigned fill);
    void walk_own_objects(unsigned first, unsigned cache, unsigned objects);
    void walk_thread(std::uintptr_t at);
    void walk_window(std::uintptr_t at);
    bool walk_barns();
    unsigned walk_stack(const sheaf_stack& stack, unsigned cache, std::uintptr_t thread,
                        unsigned shard);
    unsigned walk_sheaf(std::uintptr_t at, const void* top, unsigned cache, std::uintptr_t thread,
                        unsigned shard);
    void settle();

    const memory_source& from_;
    const heap_root_table& root_;
    workspace& space_;
    snapshot& to_;
    const visitor& seen_;
    std::uintptr_t run_end_ = 0; ///< of the last run, which may go on in the next pageblock
    std::size_t mapped_ = 0;     ///< by the process's own count
};

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
        !read(windows, to_.vmalloc) || !read(root_.zone_normal, space_.zone_copy))
        return false;
    mapped_ -= offline;
    to_.table_bytes += memblock_bytes;
    to_.returned_bytes += to_.vmalloc.returned_bytes;
    to_.returned_calls += to_.vmalloc.returned_calls;
    to_.zone = space_.zone_copy->counts();
    return true;
}

bool walker::read_caches()
{
    if (!from_.read(from_.context, address_of(root_.caches), space_.caches, sizeof space_.caches) ||
        !read(root_.requests, space_.requests))
        return false;
    for (unsigned c = 1; c < nr_caches; ++c) {
        const kmem_cache& cache = *space_.caches[c];
        const std::string_view name = cache.name();
        std::memcpy(to_.caches[c].name, name.data(),
                    smaller(name.size(), sizeof to_.caches[c].name - 1));
        to_.caches[c].size = cache.size();
        to_.caches[c].is_own = c >= nr_classes;
        to_.caches[c].is_single = cache.is_single();
        if (c < nr_classes) {
            to_.caches[c].nr_requests = space_.requests[c]->nr.load(std::memory_order_relaxed);
            to_.caches[c].requested_bytes =
                space_.requests[c]->bytes.load(std::memory_order_relaxed);
        }
    }
    return true;
}

// --- arenas ------------------------------------------------------------------------------------

/// Copies the arenas into the workspace, by ascending address.
bool walker::collect_arenas(std::size_t& nr)
{
    arena_state state{};
    const arena* at = nullptr;
    if (!read(root_.arenas, state) || !read(state.newest, at))
        return false;
    for (nr = 0; at != nullptr && nr < arenas_max; ++nr) {
        arena one{};
        if (!read(at, one))
            return false;
        at = one.next;
        // The newest comes first, and mostly lies last.
        std::size_t place = 0;
        while (place < nr && space_.arenas[place].start < one.start)
            ++place;
        for (std::size_t i = nr; i > place; --i)
            space_.arenas[i] = space_.arenas[i - 1];
        space_.arenas[place] = one;
    }
    return true;
}

bool walker::walk_arena(const arena& of)
{
    to_.nr_blocks += of.nr_blocks;
    to_.arena_bytes += of.nr_blocks * pageblock_size;
    for (std::size_t i = 0; i < smaller(of.nr_handed_out, of.nr_blocks); ++i) {
        if (!walk_block(of.blocks + i))
            return false;
    }
    to_.nr_untouched += of.nr_blocks - smaller(of.nr_handed_out, of.nr_blocks);
    return true;
}

bool walker::walk_block(const void* at)
{
    if (!read(at, space_.block))
        return false;
    const pageblock& block = *space_.block;
    if (block.state != pageblock_state::online) {
        ++to_.nr_given_back;
        return true;
    }
    ++to_.nr_online;
    ++to_.nr_blocks_of_type[smaller(static_cast<std::size_t>(block.type), nr_migrate_types - 1)];
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
                ++to_.free_blocks[type][order][kind];
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
        space_.notes[i].use = use;
        space_.notes[i].cache = static_cast<std::uint8_t>(cache);
        space_.notes[i].fill = static_cast<std::uint8_t>(fill);
    }
}

bool is_free(const page_note& n)
{
    return n.use == page_role::free_clean || n.use == page_role::free_resident;
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
    return first >= end || from_.read(from_.context, address_of(block.mem_map + first),
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
    to_.nr_run_pages += i;
    while (i < pages_per_pageblock) {
        const page_note& n = space_.notes[i];
        if (is_free(n)) {
            to_.nr_free_resident += n.is_resident;
            to_.nr_free_clean += !n.is_resident;
            ++i;
        } else if (space_.pages[i].state == page_state::slab) {
            i += walk_slab(i);
        } else if (space_.pages[i].state != page_state::free) {
            i += walk_run(i);
        } else {
            ++to_.nr_elsewhere;
            ++i;
        }
    }
}

unsigned walker::walk_run(unsigned first)
{
    const page& head = space_.pages[first];
    const std::size_t pages = smaller(nr_pages_from(head), std::size_t{1} << 32);
    const auto here = static_cast<unsigned>(smaller(pages, pages_per_pageblock - first));
    if (here == 0) {
        ++to_.nr_elsewhere;
        return 1;
    }
    run_end_ = address_of(space_.block->start) + ((first + pages) << page_shift);
    note(first, here, page_role::run, 0, 0);
    to_.nr_run_pages += here;
    return here;
}

/// Counts a slab; returns its pages.
unsigned walker::walk_slab(unsigned first)
{
    const page& head = space_.pages[first];
    const unsigned order = head.order;
    const bool is_known = order <= max_page_order && head.cache != 0 && head.cache < nr_caches;
    const kmem_cache& cache = *space_.caches[is_known ? head.cache : 1];
    const std::size_t pages = cache.is_single() ? cache.size() >> page_shift : nr_pages(order);
    const bool is_head =
        is_known && (cache.is_single() ? head.start == space_.block->start + (first << page_shift)
                                       : first % nr_pages(order) == 0);
    if (!is_head || first + pages > pages_per_pageblock) {
        ++to_.nr_elsewhere; // it was being made or taken down
        return 1;
    }
    cache_figures& sum = to_.caches[head.cache];
    const auto objects = static_cast<unsigned>((pages << page_shift) / cache.size());
    const auto nr_free = static_cast<unsigned>(smaller(head.nr_free, objects));
    const bool is_parked = cache.is_single() && nr_free == 0 && head.free_objects[1] != 0;
    sum.nr_slabs += 1;
    sum.nr_active_slabs += nr_free != objects;
    sum.nr_full_slabs += nr_free == 0;
    sum.nr_pages += pages;
    sum.nr_resident += space_.block->dirty.count(first, pages);
    sum.nr_objects += objects;
    sum.nr_free += nr_free;
    sum.nr_cached += is_parked;
    const page_role use = sum.is_own      ? page_role::own_slab
                          : sum.is_single ? page_role::single
                                          : page_role::slab;
    note(first, static_cast<unsigned>(pages), use, head.cache, 255 * (objects - nr_free) / objects);
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
    const bool is_live = area.state == vm_area_state::live;
    if (area.state == vm_area_state::unused || area.size > area.reserved)
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

// --- sheaves -----------------------------------------------------------------------------------

void walker::walk_thread(std::uintptr_t at)
{
    if (!from_.read_object(at, space_.thread))
        return;
    const thread_heap& heap = *space_.thread;
    ++to_.nr_threads;
    for (unsigned c = 1; c < nr_slab_classes; ++c) {
        cache_figures& sum = to_.caches[c];
        const object_slot* top = look::bin_of(heap, c).top.load(std::memory_order_relaxed);
        const std::uintptr_t in = round_down(address_of(top) - sizeof *top, sheaf_size);
        if (in != address_of(root_.no_sheaf))
            sum.nr_cached += walk_sheaf(in, top, c, at, 0);
        sum.nr_cached += walk_stack(look::full_sheaves(heap, c), c, at, 0);
    }
    const pageset& pages = look::pages_of(heap);
    for (unsigned order = 0; order < nr_pageset_orders; ++order)
        to_.nr_listed_pages += look::nr_blocks(pages, order) << order;
    if (seen_.thread != nullptr)
        seen_.thread(seen_.context, at, heap);
}

bool walker::walk_barns()
{
    const node_table* table = nullptr;
    if (!read(root_.nodes, table) || !read(table, space_.nodes))
        return false;
    for (unsigned shard = 0; shard < nr_shards_max; ++shard) {
        for (unsigned c = 1; c < nr_slab_classes; ++c) {
            const std::uintptr_t at = space_.nodes[shard][c];
            if (at == 0)
                continue;
            if (!from_.read_object(at, space_.node))
                return false;
            to_.caches[c].nr_cached +=
                walk_stack(look::full_sheaves(space_.node->sheaves), c, 0, shard);
        }
    }
    return true;
}

/// Objects in the sheaves of a stack, which may change while we follow it.
unsigned walker::walk_stack(const sheaf_stack& stack, unsigned cache, std::uintptr_t thread,
                            unsigned shard)
{
    const std::size_t size = smaller(stack.size(), thread_class_sheaves_max);
    const sheaf* at = stack.first();
    unsigned sum = 0;
    for (std::size_t i = 0; i < size && at != nullptr; ++i) {
        sum += walk_sheaf(address_of(at), nullptr, cache, thread, shard);
        at = space_.full->next;
    }
    return sum;
}

/// Objects below `top`, or below what the sheaf itself says.
unsigned walker::walk_sheaf(std::uintptr_t at, const void* top, unsigned cache,
                            std::uintptr_t thread, unsigned shard)
{
    const std::uintptr_t slots = at + offsetof(sheaf, slot);
    if (at % sheaf_size != 0 || !from_.read_object(at, space_.full)) {
        std::memset(space_.full.bytes, 0, sizeof space_.full);
        return 0;
    }
    const sheaf& s = *space_.full;
    const std::uintptr_t end = address_of(top != nullptr ? top : s.top);
    if (end < slots || end > at + sheaf_size)
        return 0;
    unsigned n = 0;
    for (std::size_t i = (end - slots) / sizeof(void*); i != 0; --i) {
        const void* object = s.slot[i - 1].load(std::memory_order_relaxed);
        if (object == nullptr)
            break;
        ++n;
        if (seen_.cached != nullptr)
            seen_.cached(seen_.context, address_of(object), cache, thread, shard);
    }
    return n;
}

// --- the whole ---------------------------------------------------------------------------------

/// What cannot be true at once was read at different times: cuts it off, and says so.
void walker::settle()
{
    to_.is_exact = mapped_ == to_.arena_bytes - to_.nr_given_back * pageblock_size &&
                   to_.live_window_bytes == to_.vmalloc.live_bytes &&
                   to_.cached_window_bytes == to_.vmalloc.cached_bytes;
    for (cache_figures& c : to_.caches) {
        const std::size_t most = c.nr_objects - c.nr_free;
        to_.is_exact = to_.is_exact && c.nr_cached <= most;
        c.nr_cached = smaller(c.nr_cached, most);
        to_.nr_holes += c.nr_pages - c.nr_resident;
    }
    const std::size_t lent = to_.lent_bytes >> page_shift;
    to_.is_exact = to_.is_exact && lent + to_.nr_listed_pages == to_.nr_elsewhere;
    to_.lent_bytes = smaller(lent, to_.nr_elsewhere) << page_shift;
    to_.nr_listed_pages =
        smaller(to_.nr_listed_pages, to_.nr_elsewhere - (to_.lent_bytes >> page_shift));
}

bool walker::walk()
{
    std::memset(static_cast<void*>(&to_), 0, sizeof to_);
    if (!read_counters() || !read_caches() || !collect_arenas(to_.nr_arenas))
        return false;
    to_.first_address = to_.nr_arenas == 0 ? 0 : address_of(space_.arenas[0].start);
    for (std::size_t i = 0; i < to_.nr_arenas; ++i) {
        if (!walk_arena(space_.arenas[i]))
            return false;
    }
    if (!walk_barns())
        return false;
    settle();
    return true;
}

} // namespace

bool walk(const memory_source& from, const heap_root_table& root, workspace& space, snapshot& to,
          const visitor& seen)
{
    return walker(from, root, space, to, seen).walk();
}

bool take_snapshot(const memory_source& from, const heap_root_table& root, workspace& space,
                   snapshot& to)
{
    bool any = false;
    for (unsigned i = 0; i < attempts_max; ++i) {
        any = walk(from, root, space, to, {});
        if (any && to.is_exact)
            break;
    }
    return any;
}

} // namespace bsl
