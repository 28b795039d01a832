/*
 * Caches: from slabs to objects, and what they do with whole slabs.  The way back is flush.cpp's.
 *
 * refill() takes many objects at a time.  It looks for them in this order, each step costing more than
 * the one before:
 *
 *     the fullest partial slab of this shard > one of another shard > a new slab
 *
 * Slabs start small and grow with the number a shard has: a class that a program uses once costs one
 * page, a busy one gets slabs of up to 2^order_max pages.
 */
#include "slab/kmem_cache.hpp"

#include "arena/arena.hpp"
#include "arena/class_map.hpp"
#include "arena/huge_pages.hpp"
#include "arena/mem_section.hpp"
#include "base/check.hpp"
#include "base/probe.hpp"
#include "slab/cache_table.hpp"
#include "slab/program_cache.hpp"
#include "slab/slab.hpp"

#include <new>

namespace bsl
{

void kmem_cache::free_all(pageset* pages, list_head& slabs) const
{
    list_for_each<page, &page::lru>(slabs, [&](page& head) {
        list_head::remove(head.lru);
        free_slab(pages, head);
    });
}

/// Puts a slab that has changed into the list that its free objects say it belongs to.
void kmem_cache::list_by_fullness(kmem_cache_node& home, page& head) const
{
    const unsigned objects = objects_in(head.order);
    head.is_settled = false;
    if (head.nr_free == 0)
        return;
    if (head.nr_free == objects) {
        home.empty.insert_front(head.lru);
        home.nr_empty += 1;
        return;
    }
    home.partial[fullness(head.nr_free, objects)].insert_front(head.lru);
}

namespace
{

/// A page fault costs as much by itself as the page it brings, so a cache that keeps growing opens pages
/// ahead of need; in proportion to what it has, so that it wastes little.
std::size_t pages_ahead(const kmem_cache_node& of, unsigned want)
{
    if (want == 1)
        return 0;
    const std::size_t share = of.nr_pages_held / populate_part;
    return share < populate_max ? share : populate_max;
}

} // namespace

void populate(const page_use& use)
{
    if (use.nr_opened == 0)
        return;
    VM_BUG_ON(!lockdep::holds_nothing());
    pageblock& block = pageblock_of(use.opened);
    if (block.nr_given != 0) [[unlikely]] {
        zone& home = home_of(use.opened);
        mutex_guard guard(home.lock);
        home.note_filled(use.opened, use.nr_opened);
    }
    open_pages(block, use.opened, use.nr_opened);
    // Those ahead are holes: given back in between, they would be resident and count as clean now.
    const auto first = static_cast<std::size_t>(use.opened - block.start) >> page_shift;
    if (use.nr_opened != 1)
        block.dirty.set(first, use.nr_opened);
}

// --- from slabs to objects ---------------------------------------------------------------------

/// Takes the slab to serve from next off its list.  Those in the way that have more free objects by now than their
/// list says are listed anew: giving back, which is done for each object, need not ask.  (One has fewer while its holes
/// are on their way to the system.)
page* kmem_cache::take_partial(kmem_cache_node& from) const
{
    unsigned to_list_anew = lists_anew_max;
    for (unsigned i = 0; i < nr_fullness_lists; ++i) {
        while (list_head* node = from.partial[i].front()) {
            page* slab = list_entry<page, &page::lru>(node);
            list_head::remove(*node);
            const unsigned f = fullness(slab->nr_free, objects_in(slab->order));
            if (f <= i || to_list_anew == 0)
                return slab;
            --to_list_anew;
            if (slab->is_settled)
                from.partial[f].insert_back(*node);
            else
                from.partial[f].insert_front(*node);
        }
    }
    list_head* node = from.empty.front();
    if (node == nullptr)
        return nullptr;
    from.nr_empty -= 1;
    list_head::remove(*node);
    return list_entry<page, &page::lru>(node);
}

unsigned kmem_cache::take_from_node(kmem_cache_node& from, void** objects, unsigned want,
                                    page_use& use) const
{
    mutex_guard guard(from.lock);
    page* slab = take_partial(from);
    if (slab == nullptr)
        return 0;
    const unsigned n = take_objects(*slab, objects, want, pages_ahead(from, want), use);
    from.nr_free -= n;
    list_by_fullness(from, *slab);
    return n;
}

/// Slabs begin at different cache lines, as far as the rest behind their objects allows.
void kmem_cache::choose_colour(kmem_cache_node& home, page& slab) const
{
    const unsigned room = objects_in(slab.order);
    const std::size_t rest = (nr_pages(slab.order) << page_shift) - std::size_t{room} * size_;
    const std::size_t unit = natural_alignment(size_);
    const std::size_t offset = home.next_colour * unit;
    const bool wraps = offset + unit > rest || offset + unit > UINT8_MAX * malloc_alignment;
    home.next_colour = static_cast<std::uint8_t>(wraps ? 0 : home.next_colour + 1);
    // Slabs of different order have different room.
    slab.colour = static_cast<std::uint8_t>(offset > rest ? 0 : offset / malloc_alignment);
}

void kmem_cache::count_slab(kmem_cache_node& home, const page& slab) const
{
    home.nr_slabs += 1;
    home.nr_objects += objects_in(slab.order);
    home.nr_pages_held += slab_pages(slab);
}

unsigned kmem_cache::take_from_new_slab(kmem_cache_node& home, page& slab, void** objects,
                                        unsigned want, page_use& use) const
{
    const unsigned room = objects_in(slab.order);
    mutex_guard guard(home.lock);
    choose_colour(home, slab);
    count_slab(home, slab);
    const unsigned n = take_objects(slab, objects, want, pages_ahead(home, want), use);
    home.nr_free += room - n;
    list_by_fullness(home, slab);
    return n;
}

/// No node has pages: free objects of other nodes, once memory is short.
unsigned kmem_cache::refill_elsewhere(unsigned shard, void** objects, unsigned want,
                                      page_use& use) const
{
    unsigned n = 0;
    for (unsigned i = 1; n == 0 && memory_is_short() && i < nr_shards(); ++i) {
        kmem_cache_node* other = node((shard + i) % nr_shards());
        if (other != nullptr && other->nr_free != 0)
            n = take_from_node(*other, objects, want, use);
    }
    return n;
}

unsigned kmem_cache::refill(pageset* pages, unsigned shard, void** objects, unsigned want,
                            page_use& use) const
{
    if (is_single())
        return (objects[0] = refill_single(shard, {single_pages_max(), run_fit::tight},
                                           use.zeros)) != nullptr;
    kmem_cache_node* home = make_node(shard);
    if (home == nullptr)
        return 0;
    unsigned n = take_from_node(*home, objects, want, use);
    // Other shards' free objects before new pages: memory must not grow because threads move.  But not
    // those of other nodes.
    for (unsigned i = nr_nodes(); n == 0 && i < nr_shards(); i += nr_nodes()) {
        kmem_cache_node* other = node((shard + i) % nr_shards());
        if (other != nullptr && other->nr_free != 0)
            n = take_from_node(*other, objects, want, use);
    }
    if (n == 0) {
        if (number_ >= nr_caches && to_program_cache(*this).has_constructor())
            return 0; // add_slab() makes it, without a lock
        const auto nr_slabs = static_cast<unsigned>(home->nr_slabs);
        page* slab = make_slab(pages, shard, nr_slabs);
        if (slab == nullptr)
            return refill_elsewhere(shard, objects, want, use);
        n = take_from_new_slab(*home, *slab, objects, want, use);
    }
    BSL_PROBE2(refill, &name_[0], n);
    return n;
}

void* kmem_cache::refill_single(unsigned shard, single_request wanted, bool& zeros) const
{
    VM_BUG_ON(!is_single());
    kmem_cache_node* home = make_node(shard);
    page* slab = home == nullptr ? nullptr : make_single(shard, wanted);
    if (slab == nullptr)
        return nullptr;
    zeros = !open_pages(slab->start, wanted.pages);
    mutex_guard guard(home->lock);
    count_slab(*home, *slab);
    return slab->start;
}

void* kmem_cache::alloc_one() const
{
    void* object = nullptr;
    page_use use;
    return refill(nullptr, current_shard(), &object, 1, use) != 0 ? object : nullptr;
}

// --- slabs that come and go ---------------------------------------------------------------------

/// Takes a slab out of its shard's books; its free objects are the caller's to count.
void kmem_cache::forget_slab(kmem_cache_node& home, const page& head) const
{
    home.nr_slabs -= 1;
    home.nr_objects -= objects_in(head.order);
    home.nr_pages_held -= slab_pages(head);
}

bool kmem_cache::resize_single(page& head, const kmem_cache& to, std::size_t wanted) const
{
    const std::size_t pages = slab_pages(head);
    kmem_cache_node* home = to.make_node(head.shard);
    pageblock& block = pageblock_of(head.start);
    const auto first = static_cast<std::size_t>(head.start - block.start) >> page_shift;
    if (home == nullptr || first + wanted > pages_per_pageblock)
        return false;
    {
        zone& home_zone = home_of(head.start);
        mutex_guard guard(home_zone.lock);
        char* const end = head.start + (pages << page_shift);
        if (wanted < pages)
            home_zone.free_run(head.start + (wanted << page_shift), pages - wanted);
        else if (!home_zone.extend_run(end, wanted - pages))
            return false;
    }
    block.dirty.set(first, wanted);
    disown_single(head);
    head.cache = to.number_;
    head.state = page_state::slab;
    page_classes.set(head.start, 1, to.map_class_);
    set_single_pages(head, wanted);
    mutex_guard guard(home->lock);
    to.count_slab(*home, head);
    return true;
}

void kmem_cache::disown_single(page& head) const
{
    VM_BUG_ON(!is_single() || head.nr_free != 0);
    kmem_cache_node& home = *node(head.shard);
    mutex_guard guard(home.lock);
    forget_slab(home, head);
    page_classes.set(head.start, 1, 0);
    head.state = page_state::free;
}

void kmem_cache::drain_sheaves(bool idle_only) const
{
    for (unsigned shard = 0; shard < nr_shards(); ++shard) {
        kmem_cache_node* home = node(shard);
        if (home == nullptr || (idle_only && !home->sheaves.is_idle()))
            continue;
        while (sheaf* s = home->sheaves.take_any()) {
            void* objects[sheaf_capacity_max];
            const unsigned n = empty(*s, objects, sheaf_capacity_);
            if (n != 0)
                flush(nullptr, objects, n);
            cache_for(own_cache::sheaf).free_one(s);
        }
    }
}

void kmem_cache::shrink() const
{
    for (unsigned shard = 0; shard < nr_shards(); ++shard) {
        kmem_cache_node* home = node(shard);
        if (home == nullptr)
            continue;
        list_head emptied;
        {
            mutex_guard guard(home->lock);
            while (list_head* node = home->empty.front()) {
                page& head = *list_entry<page, &page::lru>(node);
                list_head::remove(*node);
                home->nr_empty -= 1;
                forget_slab(*home, head);
                home->nr_free -= objects_in(head.order);
                emptied.insert_front(head.lru);
            }
        }
        free_all(nullptr, emptied);
    }
}

void kmem_cache::validate() const
{
    for (unsigned shard = 0; shard < nr_shards(); ++shard) {
        kmem_cache_node* home = node(shard);
        if (home == nullptr)
            continue;
        mutex_guard guard(home->lock);
        std::size_t listed_free = 0;
        const auto check = [&](page& head) {
            std::size_t bits = 0;
            for (unsigned w = 0; w * 64 < objects_in(head.order); ++w)
                bits += count_bits(bitmap_word(head, w * 64));
            VM_BUG_ON(head.state != page_state::slab || head.cache != number_);
            VM_BUG_ON(bits != head.nr_free);
            VM_BUG_ON(head.shard != shard);
            listed_free += bits;
        };
        for (list_head& list : home->partial) {
            bool seen_settled = false;
            list_for_each<page, &page::lru>(list, [&](page& head) {
                check(head);
                VM_BUG_ON(seen_settled && !head.is_settled);
                seen_settled = head.is_settled;
            });
        }
        list_for_each<page, &page::lru>(home->empty, check);
        VM_BUG_ON(listed_free != home->nr_free);
    }
}

} // namespace bsl
