/*
 * One slab: how it is made of pages and becomes pages again, how objects are found in it and taken
 * out of it.  The lists that slabs are in are kmem_cache.cpp's.
 */
#include "slab/slab.hpp"

#include "arena/class_map.hpp"
#include "arena/mem_section.hpp"
#include "base/check.hpp"
#include "base/probe.hpp"
#include "slab/program_cache.hpp"

namespace bsl
{

std::size_t kmem_cache::slab_pages(const page& head) const
{
    return is_single() ? single_pages(head) : nr_pages(head.order);
}

namespace
{

/// Against the limit of one of the program's caches; others have none.
bool charge(const kmem_cache& of, std::size_t pages)
{
    return of.number() < nr_caches || to_program_cache(of).charge(pages);
}

void uncharge(const kmem_cache& of, std::size_t pages)
{
    if (of.number() >= nr_caches)
        to_program_cache(of).uncharge(pages);
}

char* take_block(pageset* pages, unsigned shard, unsigned order)
{
    return alloc_near(node_of_shard(shard), [&](zone& from) -> char* {
        if (pages != nullptr)
            return pages->alloc(from, order, migrate_type::slab);
        mutex_guard guard(from.lock);
        return from.alloc_block(order, migrate_type::slab);
    });
}

char* take_run(unsigned shard, single_request wanted)
{
    return alloc_near(node_of_shard(shard), [&](zone& from) -> char* {
        mutex_guard guard(from.lock);
        return from.alloc_run(wanted.pages, wanted.fit);
    });
}

/// The first page of a slab, as far as it says more than the others.
void describe_head(page& head, char* start, unsigned shard, unsigned objects)
{
    head.start = start;
    head.shard = static_cast<std::uint8_t>(shard);
    set_nr_free(head, objects);
    head.colour = 0;
}

} // namespace

/// Slabs grow with their number, but a smaller one in memory that is there comes before a larger one in memory
/// that is not.  What the thread holds needs no look into the zone.
unsigned kmem_cache::choose_order(const pageset* pages, unsigned shard, unsigned nr_slabs) const
{
    const unsigned grown = order_min_ + ilog2(1 + nr_slabs / 2);
    const unsigned most = grown < order_max_ ? grown : order_max_;
    zone& from = zone_of_node(node_of_shard(shard));
    if (most == order_min_ || (pages != nullptr && pages->has(from, most)))
        return most;
    mutex_guard guard(from.lock);
    return from.resident_order(order_min_, most);
}

/// A new slab, in no list, all of its objects free.  nullptr when the zone has no pages.
page* kmem_cache::make_slab(pageset* pages, unsigned shard, unsigned nr_slabs) const
{
    unsigned order = choose_order(pages, shard, nr_slabs);
    if (!charge(*this, nr_pages(order))) {
        order = order_min_; // the last ones of a limited cache are small again
        if (!charge(*this, nr_pages(order)))
            return nullptr;
    }
    char* start = take_block(pages, shard, order);
    if (start == nullptr && order > order_min_ &&
        memory_is_short()) { // so are the last ones of all
        uncharge(*this, nr_pages(order) - nr_pages(order_min_));
        order = order_min_;
        start = take_block(pages, shard, order);
    }
    const std::size_t used = nr_pages(order);
    if (start == nullptr) {
        uncharge(*this, used);
        return nullptr;
    }

    page& head = page_of(pageblock_of(start), start);
    const unsigned objects = objects_in(order);
    for (std::size_t i = 0; i < used; ++i) {
        page& p = (&head)[i];
        p.state = page_state::slab;
        p.order = static_cast<std::uint8_t>(order);
        p.cache = number_;
        for (unsigned w = 0; w < objects_per_page_max / 64; ++w) {
            const unsigned from = static_cast<unsigned>(i * objects_per_page_max) + w * 64;
            const unsigned here = objects <= from ? 0 : objects - from < 64 ? objects - from : 64;
            p.free_objects[w] = here == 0 ? 0 : bit_run(0, here);
        }
    }
    describe_head(head, start, shard, objects);
    page_classes.set(start, used, map_class_);
    BSL_PROBE3(slab_new, &name_[0], start, used);
    return &head;
}

/// The same for one object, which is in use from the start: any run of pages, whose first one describes it alone.
page* kmem_cache::make_single(unsigned shard, single_request wanted) const
{
    VM_BUG_ON(wanted.pages == 0 || wanted.pages > single_pages_max());
    if (!charge(*this, wanted.pages))
        return nullptr;
    char* start = take_run(shard, wanted);
    if (start == nullptr) {
        uncharge(*this, wanted.pages);
        return nullptr;
    }
    page& head = page_of(pageblock_of(start), start);
    head.state = page_state::slab;
    head.order = 0;
    head.cache = number_;
    head.free_objects[0] = 0;
    head.free_objects[parked_word] = 0;
    set_single_pages(head, wanted.pages);
    describe_head(head, start, shard, 0);
    page_classes.set(start, 1, map_class_);
    BSL_PROBE3(slab_new, &name_[0], start, wanted.pages);
    return &head;
}

/// Gives the pages of a slab that is in no list and wholly free back.
void kmem_cache::free_slab(pageset* pages, page& head) const
{
    const std::size_t used = slab_pages(head);
    char* start = head.start;
    BSL_PROBE3(slab_free, &name_[0], start, used);
    uncharge(*this, used);
    const std::size_t described = is_single() ? 1 : used;
    page_classes.set(start, described, 0);
    for (std::size_t i = 0; i < described; ++i)
        (&head)[i].state = page_state::free;
    zone& home = home_of(start);
    if (pages != nullptr && !is_single()) { // a run need not be aligned
        pages->free(home, start, used);
        return;
    }
    mutex_guard guard(home.lock);
    home.free_run(start, used);
}

/// Takes objects in address order from a slab all of whose pages hold memory.
unsigned kmem_cache::take_resident(page& head, void** objects, unsigned want) const
{
    char* const first = head.start + head.colour * malloc_alignment;
    if (want > head.nr_free)
        want = head.nr_free;
    unsigned n = 0;
    for (unsigned from = 0; n < want; from += 64) {
        std::uint64_t& word = bitmap_word(head, from);
        std::uint64_t bits = word;
        while (bits != 0 && n < want) {
            objects[n++] = first + std::size_t{from + lowest_bit(bits)} * size_;
            bits &= bits - 1;
        }
        word = bits;
    }
    set_nr_free(head, head.nr_free - n);
    return n;
}

/// Takes objects in address order, many only where all pages hold memory.  Of pages that hold none yet it opens
/// those of one object, and at most `ahead` behind them: what is not asked for is not touched.
unsigned kmem_cache::take_objects(page& head, void** objects, unsigned want, std::size_t ahead,
                                  page_use& use) const
{
    pageblock& block = pageblock_of(head.start);
    const auto first_page = static_cast<std::size_t>(head.start - block.start) >> page_shift;
    const std::size_t end_page = first_page + nr_pages(head.order);
    const std::size_t dirty = block.dirty.count(first_page, end_page - first_page);
    use.zeros = dirty == 0;
    if (dirty == end_page - first_page)
        return take_resident(head, objects, want);
    const std::size_t by_bytes = refill_bytes_max < 2 * size_ ? 2 : refill_bytes_max / size_;
    want = want < by_bytes ? want : static_cast<unsigned>(by_bytes);

    char* const first = head.start + head.colour * malloc_alignment;
    const unsigned words = (objects_in(head.order) + 63) / 64;
    const char* held = first;     // from here on
    const char* held_end = first; // to here the pages hold memory
    unsigned n = 0;
    for (unsigned w = 0; w < words && n < want; ++w) {
        std::uint64_t& word = bitmap_word(head, w * 64);
        std::uint64_t bits = word;
        while (bits != 0 && n < want) {
            char* object = first + std::size_t{w * 64 + lowest_bit(bits)} * size_;
            if (object < held || object + size_ > held_end) {
                const auto from = static_cast<std::size_t>(object - block.start) >> page_shift;
                const auto end =
                    (static_cast<std::size_t>(object + size_ - 1 - block.start) >> page_shift) + 1;
                if (block.dirty.find(from, end, false) != end) {
                    if (use.nr_opened != 0)
                        break;
                    const std::size_t most = end + ahead < end_page ? end + ahead : end_page;
                    use.nr_opened = block.dirty.find(end, most, true) - from;
                    use.opened = block.start + (from << page_shift);
                    block.dirty.set(from, use.nr_opened);
                }
                held = block.start + (from << page_shift);
                held_end = block.start + (block.dirty.find(end, end_page, false) << page_shift);
            }
            objects[n++] = object;
            bits &= bits - 1;
        }
        word = bits;
        if (bits != 0)
            break;
    }
    set_nr_free(head, head.nr_free - n);
    return n;
}

object_position locate(const void* address, const page& of_address)
{
    const kmem_cache& cache = cache_numbered(of_address.cache);
    const pfn_t in_block = address_to_pfn(address) & (nr_pages(of_address.order) - 1);
    auto* head = const_cast<page*>(&of_address - in_block);
    char* const first = head->start + head->colour * malloc_alignment;

    object_position at{head, &cache, first, 0, 0, false};
    if (static_cast<const char*>(address) < first)
        return at;
    const auto offset = static_cast<std::size_t>(static_cast<const char*>(address) - first);
    const unsigned index =
        cache.is_single() ? 0 : static_cast<unsigned>(offset * cache.reciprocal_ >> 32);
    at.index = index;
    at.object = first + std::size_t{index} * cache.size_;
    at.offset = offset - std::size_t{index} * cache.size_;
    at.is_object = index < cache.objects_in(head->order);
    return at;
}

object_position position_of(page& head, unsigned index)
{
    const kmem_cache& cache = cache_numbered(head.cache);
    char* object = head.start + head.colour * malloc_alignment + index * cache.size();
    return {&head, &cache, object, 0, index, true};
}

bool is_free(page& single)
{
    // The word is its alone, and nobody writes it while the program has the object.
    std::atomic_ref<std::uint64_t> bit(single.free_objects[0]);
    std::atomic_ref<std::uint64_t> parked(single.free_objects[parked_word]);
    return (bit.load(std::memory_order_relaxed) & 1) != 0 ||
           parked.load(std::memory_order_acquire) != 0;
}

bool is_free(const object_position& at)
{
    if (at.cache->is_single())
        return is_free(*at.head);
    // The bits of other objects in the same word change at any time.
    mutex_guard guard(at.cache->node(at.head->shard)->lock);
    return (bitmap_word(*at.head, at.index) & bit_in_word(at.index)) != 0;
}

bool park(page& head)
{
    std::atomic_ref<std::uint64_t> parked(head.free_objects[parked_word]);
    return (head.free_objects[0] & 1) == 0 && parked.exchange(1, std::memory_order_acq_rel) == 0;
}

void unpark(page& head)
{
    std::atomic_ref<std::uint64_t>(head.free_objects[parked_word])
        .store(0, std::memory_order_release);
}

page* single_object_at(const pageblock* block, const void* address)
{
    if (block == nullptr || block->mem_map == nullptr)
        return nullptr;
    page& p = page_of(*block, address);
    const bool found =
        p.state == page_state::slab && is_single_class(p.cache) && p.start == address;
    return found ? &p : nullptr;
}

} // namespace bsl
