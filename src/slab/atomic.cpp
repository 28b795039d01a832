/*
 * An object without waiting and without the kernel: for GFP_ATOMIC.
 *
 * A node's lock is tried, not waited for; of its slabs only objects on pages that hold memory are taken,
 * since to touch another is a page fault.  The search is bounded: a few slabs of each list.
 */
#include "arena/mem_section.hpp"
#include "slab/slab.hpp"

namespace bsl
{

namespace
{

constexpr unsigned slabs_looked_at = 4;

/// The lowest free object that lies on resident pages; objects_per_page_max * pages_per_slab_max: none.
unsigned find_resident(page& head, std::size_t size, unsigned objects)
{
    const pageblock& block = pageblock_of(head.start);
    const char* first = head.start + head.colour * malloc_alignment;
    for (unsigned w = 0; w * 64 < objects; ++w) {
        for (std::uint64_t bits = bitmap_word(head, w * 64); bits != 0; bits &= bits - 1) {
            const unsigned index = w * 64 + lowest_bit(bits);
            const auto from = static_cast<std::size_t>(first + index * size - block.start);
            const std::size_t end = ((from + size - 1) >> page_shift) + 1;
            if (block.dirty.find(from >> page_shift, end, false) == end)
                return index;
        }
    }
    return objects;
}

} // namespace

void* kmem_cache::take_atomic(kmem_cache_node& from) const
{
    list_head* lists[] = {&from.partial[0], &from.partial[1], &from.partial[2], &from.partial[3],
                          &from.empty};
    static_assert(nr_fullness_lists == 4);
    for (list_head* list : lists) {
        unsigned left = slabs_looked_at;
        list_head* at = list->front();
        for (; at != nullptr && at != list && left != 0; at = at->next, --left) {
            page& head = *list_entry<page, &page::lru>(at);
            const unsigned objects = objects_in(head.order);
            const unsigned index = find_resident(head, size_, objects);
            if (index == objects)
                continue;
            list_head::remove(head.lru);
            if (list == &from.empty)
                from.nr_empty -= 1;
            bitmap_word(head, index) &= ~bit_in_word(index);
            set_nr_free(head, head.nr_free - 1u);
            from.nr_free -= 1;
            list_by_fullness(from, head);
            return position_of(head, index).object;
        }
    }
    return nullptr;
}

void* kmem_cache::alloc_one_atomic() const BSL_TSA(no_thread_safety_analysis)
{
    if (is_single())
        return nullptr;
    void* object = nullptr;
    for (unsigned shard = 0; object == nullptr && shard < nr_shards(); ++shard) {
        kmem_cache_node* home = node(shard);
        if (home == nullptr || home->nr_free == 0 || !home->lock.try_lock_atomic())
            continue;
        object = take_atomic(*home);
        home->lock.unlock_atomic();
    }
    return object;
}

} // namespace bsl
