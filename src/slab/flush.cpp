/*
 * From objects back to their slabs: flush(), many objects at a time.
 *
 * First it finds the slab of every object, without a lock, which is where the cache misses are; then it
 * sets their bits, one locked pass per home shard.  A bit that is set already is a double free: it costs
 * nothing to see, so it is always seen.
 *
 * A slab moves to another list where it gets its first free object, or the first since its holes were looked
 * for, and where it has no object in use any more.  What it is in between, in quarters, is looked at when a
 * refill comes (take_partial()).
 */
#include "slab/kmem_cache.hpp"

#include "arena/arena.hpp"
#include "base/check.hpp"
#include "base/cpu.hpp"
#include "base/probe.hpp"
#include "slab/misuse.hpp"
#include "slab/slab.hpp"

namespace bsl
{

namespace
{

/// How many of n objects lie side by side from the first on, each `step` bytes behind the one before.
unsigned neighbours(void* const* objects, unsigned n, std::ptrdiff_t step)
{
    unsigned count = 1;
    while (count < n &&
           static_cast<char*>(objects[count]) - static_cast<char*>(objects[count - 1]) == step)
        ++count;
    return count;
}

/// Sets bits of one word of a slab's bitmap, which begins with that of object `first`.
void set_free(page& head, std::uint64_t& word, std::uint64_t bits, unsigned first)
{
    if ((word & bits) != 0) [[unlikely]]
        report_double_free("free", position_of(head, first + lowest_bit(word & bits)));
    word |= bits;
}

} // namespace

/// The number of an object in its slab, if it is one.
inline unsigned kmem_cache::index_of(const page& head, const void* object) const
{
    const auto offset = static_cast<std::size_t>(static_cast<const char*>(object) - head.start) -
                        head.colour * malloc_alignment;
    const std::size_t index = offset * reciprocal_ >> 32;
    if (index * size_ != offset || index >= objects_in(head.order)) [[unlikely]]
        report_stray(object);
    return static_cast<unsigned>(index);
}

/// Sets the bits of objects of one slab, and checks that each is one and is in use.  What was allocated in a
/// row is often freed in a row: neighbours are checked and marked at once.
[[gnu::noinline]] void kmem_cache::mark_free(page& head, void* const* objects, unsigned n) const
{
    while (n != 0) {
        unsigned count = neighbours(objects, n, size_);
        if (count == 1)
            count = neighbours(objects, n, -std::ptrdiff_t{size_});
        const unsigned one = index_of(head, objects[0]);
        const unsigned other = index_of(head, objects[count - 1]);
        const unsigned lowest = one < other ? one : other;
        unsigned first_of_word = lowest / 64 * 64;
        for_each_bitmap_word(head, lowest, count, [&](std::uint64_t& word, std::uint64_t bits) {
            set_free(head, word, bits, first_of_word);
            first_of_word += 64;
        });
        objects += count;
        n -= count;
    }
}

/// Lists a slab that has its first free object now, or its first one since it was settled, or none in use any more,
/// which may make it leave.
[[gnu::noinline]] void kmem_cache::list_put(kmem_cache_node& home, page& head, bool was_listed,
                                            list_head& emptied) const
{
    if (was_listed)
        list_head::remove(head.lru);
    const std::size_t pages = slab_pages(head);
    const std::size_t kept = home.nr_empty * pages;
    const bool may_stay = !is_single() && (kept + pages) << page_shift <= empty_slab_bytes_max;
    if (head.nr_free != objects_in(head.order) || may_stay)
        return list_by_fullness(home, head);
    forget_slab(home, head);
    home.nr_free -= head.nr_free;
    emptied.insert_front(head.lru);
}

/// Gives objects that follow each other back to the one slab they are of.
inline void kmem_cache::put_run(kmem_cache_node& home, page& head, void* const* objects, unsigned n,
                                list_head& emptied) const
{
    if (n == 1) {
        const unsigned index = index_of(head, *objects);
        set_free(head, bitmap_word(head, index), bit_in_word(index), index / 64 * 64);
    } else {
        mark_free(head, objects, n);
    }
    const unsigned before = head.nr_free;
    set_nr_free(head, before + n);
    home.nr_free += n;
    if (before == 0 || before + n == objects_in(head.order) || head.is_settled) [[unlikely]]
        list_put(home, head, before != 0, emptied);
}

/// Gives back those objects whose home is `shard`.
void kmem_cache::put_objects(unsigned shard, void* const* objects, const object_run* runs,
                             list_head& emptied) const
{
    kmem_cache_node& home = *node(shard);
    mutex_guard guard(home.lock);
    while (runs->of != nullptr) {
        page& head = *runs->of;
        const unsigned begin = runs->begin;
        const bool is_here = runs->shard == shard;
        while ((++runs)->of == &head) {
        }
        if (is_here)
            put_run(home, head, objects + begin, runs->begin - begin, emptied);
    }
}

/// Reports an object that cannot be given back to this cache; there is a reason.
void kmem_cache::report_stray(const void* object) const
{
    const page* p = virt_to_page(object);
    if (p == nullptr || p->state != page_state::slab)
        report_free_page("free", object);
    const object_position at = locate(object, *p);
    if (at.cache != this)
        report_wrong_cache("free", object, *this, at);
    report_not_start("free", object, at);
}

namespace
{

/// Cuts objects into runs, the last of which is of no page; returns how many others there are.
unsigned make_runs(void* const* objects, unsigned n, object_run* runs)
{
    unsigned nr_runs = 0;
    pfn_t last = 0;
    for (unsigned i = 0; i < n; ++i) {
        const pfn_t pfn = address_to_pfn(objects[i]);
        if (pfn == last)
            continue;
        last = pfn;
        page* p = virt_to_page(objects[i]);
        prefetch(p);
        runs[nr_runs++] = {p, i, 0};
    }
    runs[nr_runs] = {nullptr, n, 0};
    return nr_runs;
}

} // namespace

/// Finds the slabs of objects that are being freed, and checks that they are of this cache.  Returns a
/// mask of their shards.
///
/// Objects that were freed in random order have their struct pages all over the map: each pass
/// prefetches for the next, so that they wait for memory once and not one by one.
std::uint32_t kmem_cache::find(void* const* objects, unsigned n, object_run* runs) const
{
    const unsigned nr_runs = make_runs(objects, n, runs);
    for (unsigned r = 0; r < nr_runs; ++r) {
        const page* p = runs[r].of;
        void* const object = objects[runs[r].begin];
        if (p == nullptr || p->state != page_state::slab || p->cache != number_) [[unlikely]]
            report_stray(object);
        runs[r].of -= address_to_pfn(object) & (nr_pages(p->order) - 1);
        prefetch(runs[r].of);
    }
    std::uint32_t shards = 0;
    for (unsigned r = 0; r < nr_runs; ++r) {
        runs[r].shard = runs[r].of->shard;
        shards |= 1u << runs[r].shard;
    }
    return shards;
}

void kmem_cache::flush(pageset* pages, void* const* objects, unsigned n) const
{
    BSL_PROBE2(flush, &name_[0], n);
    VM_BUG_ON(n == 0 || n > sheaf_capacity_max);
    object_run runs[sheaf_capacity_max + 1];
    list_head emptied;
    for (std::uint32_t shards = find(objects, n, runs); shards != 0; shards &= shards - 1)
        put_objects(lowest_bit(shards), objects, runs, emptied);
    free_all(pages, emptied);
}

} // namespace bsl
