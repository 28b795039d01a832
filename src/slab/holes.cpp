#include "slab/holes.hpp"

#include "arena/mem_section.hpp"
#include "buddy/reclaim.hpp"

namespace bsl
{

namespace
{

/// The bounds learn from it, if it should be wanted again soon (buddy/reclaim.hpp).
void note_given_back(const slab_hole& hole)
{
    zone& home = home_of(hole.start);
    home.regrets[0].given.fetch_add(hole.pages, std::memory_order_relaxed);
    mutex_guard guard(home.lock);
    home.note_given(hole.start, hole.pages);
}

bool all_free(page& head, unsigned first, unsigned count)
{
    bool all = true;
    for_each_bitmap_word(head, first, count, [&all](std::uint64_t word, std::uint64_t mask) {
        all &= (word & mask) == mask;
    });
    return all;
}

/// The objects that touch page `number` of a slab.
void objects_on_page(const page& head, std::size_t size, unsigned objects, std::size_t number,
                     unsigned& first, unsigned& end)
{
    const std::size_t colour = head.colour * malloc_alignment;
    const std::size_t from = number << page_shift;
    const std::size_t to = from + bytes_per_page;
    first = from <= colour ? 0 : static_cast<unsigned>((from - colour) / size);
    end = to <= colour ? 0 : static_cast<unsigned>(div_round_up(to - colour, size));
    end = end < objects ? end : objects;
}

/// Finds the next stretch of pages from page `from` on that are free and hold memory.
bool find_hole(page& head, std::size_t size, unsigned objects, std::size_t pages, std::size_t& from,
               slab_hole& hole)
{
    const pageblock& block = pageblock_of(head.start);
    const auto first_page = static_cast<std::size_t>(head.start - block.start) >> page_shift;
    hole.head = &head;
    hole.pages = 0;
    for (; from < pages; ++from) {
        unsigned first = 0;
        unsigned end = 0;
        objects_on_page(head, size, objects, from, first, end);
        const bool free = first < end && block.dirty.test(first_page + from) &&
                          all_free(head, first, end - first);
        if (!free && hole.pages != 0)
            break;
        if (!free)
            continue;
        if (hole.pages++ == 0) {
            hole.start = head.start + (from << page_shift);
            hole.first = first;
        }
        hole.count = end - hole.first;
    }
    return hole.pages != 0;
}

/// Free bytes in the slabs of malloc's caches, whether or not they hold memory.
std::size_t free_bytes_in_slabs()
{
    std::size_t sum = 0;
    for (unsigned c = 1; c < nr_slab_classes; ++c) {
        for (unsigned shard = 0; shard < nr_shards(); ++shard) {
            if (const kmem_cache_node* node = kmalloc_cache(c).node(shard))
                sum += node->nr_free * class_size(c);
        }
    }
    return sum;
}

/// Free bytes in slabs that are not worth another look: their pages are in use, or clean already.
constinit std::atomic<std::size_t> settled_bytes{0};

} // namespace

/// Takes the holes of the slabs at the front of a list and puts the slabs, which are settled then, to its back; at
/// most `to_visit` slabs, as many as the batch has room for.  False: none of them is left.
bool kmem_cache::take_holes(list_head& slabs, std::size_t& to_visit, hole_batch& batch,
                            kmem_cache_node& of) const
{
    for (; to_visit != 0 && !slabs.is_empty(); --to_visit) {
        page& head = *list_entry<page, &page::lru>(slabs.front());
        if (head.is_settled)
            return false;
        if (!batch.has_room_for_slab())
            return true;
        const unsigned objects = objects_in(head.order);
        std::size_t from = 0;
        for (slab_hole hole{this, &of, nullptr, nullptr, 0, 0, 0};
             find_hole(head, size_, objects, nr_pages(head.order), from, hole);) {
            for_each_bitmap_word(head, hole.first, hole.count,
                                 [](std::uint64_t& word, std::uint64_t mask) { word &= ~mask; });
            set_nr_free(head, head.nr_free - hole.count);
            of.nr_free -= hole.count;
            batch.holes[batch.nr++] = hole;
        }
        list_head::remove(head.lru);
        head.is_settled = true;
        if (head.nr_free != 0)
            slabs.insert_back(head.lru);
    }
    return false;
}

/// Marks the objects of a hole as free again; where the slab was listed it stays: it may have been put to the front
/// since.
void kmem_cache::put_hole(const slab_hole& hole, kmem_cache_node& of, list_head& emptied) const
{
    page& head = *hole.head;
    const bool was_listed = head.nr_free != 0;
    for_each_bitmap_word(head, hole.first, hole.count,
                         [](std::uint64_t& word, std::uint64_t mask) { word |= mask; });
    set_nr_free(head, head.nr_free + hole.count);
    of.nr_free += hole.count;
    const unsigned objects = objects_in(head.order);
    if (head.nr_free == objects) // the others came back meanwhile
        return list_put(of, head, was_listed, emptied);
    if (was_listed)
        return;
    head.is_settled = true;
    of.partial[fullness(head.nr_free, objects)].insert_back(head.lru);
}

void kmem_cache::give_back(hole_batch& batch)
{
    discard_batch pages;
    for (unsigned i = 0; i < batch.nr; ++i)
        pages.add(batch.holes[i].start, batch.holes[i].pages);
    pages.run();
    for (unsigned i = 0; i < batch.nr; ++i)
        note_given_back(batch.holes[i]);
    for (unsigned i = 0; i < batch.nr;) {
        const kmem_cache& cache = *batch.holes[i].cache;
        kmem_cache_node& of = *batch.holes[i].home;
        list_head emptied;
        {
            mutex_guard guard(of.lock);
            for (; i < batch.nr && batch.holes[i].home == &of; ++i)
                cache.put_hole(batch.holes[i], of, emptied);
        }
        cache.free_all(nullptr, emptied);
    }
    batch.nr = 0;
}

void kmem_cache::discard_holes(kmem_cache_node& of, hole_batch& batch) const
{
    for (unsigned list = nr_fullness_lists; list-- != 0;) {
        list_head& slabs = of.partial[list];
        std::size_t to_visit =
            of.nr_slabs; // or others, who free meanwhile, could keep this thread for ever
        for (;;) {
            {
                mutex_guard guard(of.lock);
                if (!take_holes(slabs, to_visit, batch, of))
                    break;
            }
            give_back(batch);
        }
    }
}

void kmem_cache::discard_holes(hole_batch& batch) const
{
    if (is_single())
        return;
    for (unsigned shard = 0; shard < nr_shards(); ++shard) {
        kmem_cache_node* home = node(shard);
        const std::size_t free = home == nullptr ? 0 : std::size_t{home->nr_free};
        if (free * size_ >= bytes_per_page)
            discard_holes(*home, batch);
    }
}

void discard_all_holes()
{
    hole_batch batch;
    for (unsigned c = 1; c < nr_slab_classes; ++c)
        kmalloc_cache(c).discard_holes(batch);
    kmem_cache::give_back(batch);
    settled_bytes.store(free_bytes_in_slabs(), std::memory_order_relaxed);
}

void balance_holes()
{
    const std::size_t free = free_bytes_in_slabs();
    const std::size_t settled = settled_bytes.load(std::memory_order_relaxed);
    if (free < settled)
        settled_bytes.store(free, std::memory_order_relaxed);
    else if (exceeds_bound(zone_normal, false, free - settled))
        discard_all_holes();
}

} // namespace bsl
