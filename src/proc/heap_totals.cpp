#include "proc/heap_totals.hpp"

#include "arena/arena.hpp"
#include "arena/memblock.hpp"
#include "base/check.hpp"
#include "buddy/reclaim.hpp"
#include "buddy/zone_table.hpp"
#include "heap/frame_reserve.hpp"
#include "heap/registry.hpp"
#include "slab/size_class.hpp"
#include "vmalloc/vmalloc.hpp"

namespace bsl
{

namespace
{

/// The parts were read at different times: their difference may seem to be below zero.
std::size_t difference(std::size_t whole, std::size_t part)
{
    return whole > part ? whole - part : 0;
}

/// What the threads hold.
struct thread_totals
{
    std::size_t nr_cached[nr_classes];
    std::size_t large_bytes[nr_classes]; ///< of large objects that they keep
    std::size_t nr_pages;
};

thread_totals totals_of_threads()
{
    thread_totals sum{};
    mutex_guard guard(registry_lock);
    for_each_thread_heap([&sum](thread_heap& heap) {
        for (unsigned c = 1; c < nr_classes; ++c)
            sum.nr_cached[c] += heap.nr_cached(c);
        for (unsigned c = nr_slab_classes; c < nr_classes; ++c)
            sum.large_bytes[c] += heap.large_bytes_of(c);
        mutex_guard heap_guard(heap.lock);
        sum.nr_pages += heap.nr_pages_held();
    });
    return sum;
}

/// large_bytes: of the objects with a slab each that threads keep.
class_totals totals_of_cache(const kmem_cache& cache, std::size_t cached_by_threads,
                             std::size_t large_bytes)
{
    class_totals sum{};
    std::size_t room = 0;
    sum.nr_cached = cached_by_threads;
    for (unsigned shard = 0; shard < nr_shards(); ++shard) {
        kmem_cache_node* node = cache.node(shard);
        if (node == nullptr)
            continue;
        sum.nr_cached += node->sheaves.nr_objects();
        mutex_guard guard(node->lock);
        room += node->nr_objects;
        sum.nr_slabs += node->nr_slabs;
        sum.nr_pages += node->nr_pages_held;
        sum.nr_free += node->nr_free;
    }
    sum.nr_in_use = difference(room, sum.nr_free + sum.nr_cached);
    sum.cached_bytes = cache.is_single() ? large_bytes : sum.nr_cached * cache.size();
    sum.in_use_bytes = cache.is_single() ? difference(sum.nr_pages << page_shift, large_bytes)
                                         : sum.nr_in_use * cache.size();
    return sum;
}

/// Objects of one of the program's caches in the bins of all threads.
std::size_t cached_by_threads(const program_cache& cache)
{
    std::size_t n = 0;
    mutex_guard guard(registry_lock);
    for_each_thread_heap([&](thread_heap& heap) { n += heap.nr_cached_of(cache); });
    return n;
}

void add_objects(heap_totals& sum, const kmem_cache& cache, const class_totals& add)
{
    sum.nr_slabs += add.nr_slabs;
    sum.nr_objects += add.nr_in_use;
    sum.object_bytes += add.in_use_bytes;
    sum.nr_cached += add.nr_cached;
    sum.cached_bytes += add.cached_bytes;
    sum.nr_free += add.nr_free;
    sum.free_bytes += add.nr_free * cache.size();
    kept_objects& kept = sum.kept_of_size[class_of(cache.size())];
    kept.nr += add.nr_cached + add.nr_free;
    kept.bytes += add.cached_bytes + add.nr_free * cache.size();
}

/// Bytes of arenas whose frames are in windows.
std::size_t lent_bytes()
{
    std::size_t sum = 0;
    const auto add = [](void* argument, const vm_area& area) {
        *static_cast<std::size_t*>(argument) += area.lent_end;
    };
    for_each_window(add, &sum);
    return sum;
}

/// All zones together, as if they were one.
zone_counts counts_of_zones()
{
    zone_counts sum{};
    for_each_zone([&sum](zone& z) {
        mutex_guard guard(z.lock);
        const zone_counts& add = z.counts();
        sum.nr_online += add.nr_online;
        sum.nr_free += add.nr_free;
        sum.nr_dirty_small += add.nr_dirty_small;
        sum.nr_dirty_large += add.nr_dirty_large;
        sum.nr_used_peak += add.nr_used_peak;
    });
    return sum;
}

void add_pages(heap_totals& sum, std::size_t nr_slab_pages, std::size_t nr_listed)
{
    const std::size_t nr_lent = lent_bytes() >> page_shift;
    const arena_totals arenas = totals_of_arenas();
    const zone_counts zone = counts_of_zones();
    const std::size_t nr_dirty = zone.nr_dirty_small + zone.nr_dirty_large;
    sum.nr_pages_reserve = heap::nr_reserve_pages();
    sum.nr_pages_in_use = difference(zone.nr_used(), nr_listed + nr_lent + sum.nr_pages_reserve);
    sum.nr_pages_free_resident = nr_dirty + nr_listed;
    sum.nr_pages_free_clean = zone.nr_free - nr_dirty;
    sum.run_bytes = difference(sum.nr_pages_in_use, nr_slab_pages) << page_shift;

    sum.arena_bytes = difference(arenas.mapped, arenas.offline + (nr_lent << page_shift));
    sum.table_bytes = arenas.table_bytes + memblock_mapped();
    sum.peak_mapped += arenas.mapped + sum.table_bytes;
    sum.peak_in_use += zone.nr_used_peak << page_shift;
}

void add_windows(heap_totals& sum)
{
    const vmalloc_counts windows = counts_of_vmalloc();
    sum.window_bytes = windows.live_bytes + windows.cached_bytes;
    sum.nr_windows = windows.live;
    sum.live_window_bytes = windows.live_bytes;
    sum.cached_window_bytes = windows.cached_bytes;
    sum.nr_windows_made = windows.made;
    sum.nr_windows_stitched = windows.stitched;
    sum.peak_mapped += windows.peak_bytes;
    sum.peak_in_use += windows.peak_live_bytes;

    const reclaim_totals pages = totals_of_reclaim();
    sum.returned_bytes = pages.bytes + windows.returned_bytes;
    sum.returned_calls = pages.calls + windows.returned_calls;
}

} // namespace

heap_totals totals_of_heap()
{
    VM_BUG_ON(!lockdep::holds_nothing());
    heap_totals sum{};
    const thread_totals threads = totals_of_threads();
    std::size_t nr_slab_pages = 0;
    for (const kmem_cache& cache : all_caches) {
        const unsigned size_class = cache.size_class();
        const class_totals add =
            totals_of_cache(cache, threads.nr_cached[size_class], threads.large_bytes[size_class]);
        nr_slab_pages += add.nr_pages;
        if (size_class == 0) {
            sum.nr_pages_own += add.nr_pages;
            continue;
        }
        sum.of_class[size_class] = add;
        add_objects(sum, cache, add);
    }
    for_each_program_cache([&](program_cache& cache) {
        const class_totals add = totals_of_cache(cache, cached_by_threads(cache), 0);
        nr_slab_pages += add.nr_pages;
        add_objects(sum, cache, add);
    });
    add_pages(sum, nr_slab_pages, threads.nr_pages);
    add_windows(sum);
    return sum;
}

// --- zones -------------------------------------------------------------------------------------

namespace
{

struct block_counts
{
    std::size_t nr_mapped;    ///< pageblocks of the zone's arenas, but those given back
    std::size_t nr_untouched; ///< that were never in use
};

block_counts count_blocks(std::uint8_t number)
{
    block_counts sum{};
    mutex_guard guard(arena_lock);
    for (const arena* a = newest_arena(); a != nullptr; a = a->next) {
        if (a->zone != number)
            continue;
        sum.nr_untouched += a->nr_blocks - a->nr_handed_out;
        sum.nr_mapped += a->nr_blocks - a->nr_handed_out;
        for (std::size_t i = 0; i < a->nr_handed_out; ++i)
            sum.nr_mapped += a->blocks[i].state == pageblock_state::online;
    }
    return sum;
}

zone* zone_of_index(unsigned index)
{
    for (unsigned node = 0; node < nr_nodes_max; ++node) {
        for (const zone_type type : zone_types_ascending) {
            zone* there = zone_at(zone_number(node, type));
            if (there != nullptr && index-- == 0)
                return there;
        }
    }
    return nullptr;
}

} // namespace

bool totals_of_zone(unsigned index, zone_totals& to)
{
    zone* there = zone_of_index(index);
    if (there == nullptr)
        return false;
    to = {};
    to.number = there->number();
    const block_counts blocks = count_blocks(to.number);
    to.mapped = blocks.nr_mapped * pageblock_size;
    to.free_clean = blocks.nr_untouched * pageblock_size;
    to.free_blocks[max_page_order] = blocks.nr_untouched;
    mutex_guard guard(there->lock);
    const zone_counts& counts = there->counts();
    const std::size_t nr_dirty = counts.nr_dirty_small + counts.nr_dirty_large;
    to.free_resident = nr_dirty << page_shift;
    to.free_clean += (counts.nr_free - nr_dirty) << page_shift;
    to.used = difference(to.mapped, to.free_resident + to.free_clean);
    for (unsigned order = 0; order < nr_page_orders; ++order)
        to.free_blocks[order] += there->nr_free_blocks(order, residency::resident) +
                                 there->nr_free_blocks(order, residency::clean);
    return true;
}

} // namespace bsl
