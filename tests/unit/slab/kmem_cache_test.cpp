#include "unit/slab/objects.hpp"

#include "arena/class_map.hpp"
#include "arena/mem_section.hpp"
#include "arena/memblock.hpp"
#include "buddy/zone.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <set>

using namespace bsl;

namespace
{

bool is_zero(const void* p, std::size_t size)
{
    const auto* at = static_cast<const char*>(p);
    return std::all_of(at, at + size, [](char c) { return c == 0; });
}

std::size_t nr_slabs(const kmem_cache& cache)
{
    std::size_t n = 0;
    for (unsigned shard = 0; shard < nr_shards(); ++shard) {
        if (const kmem_cache_node* node = cache.node(shard))
            n += node->nr_slabs;
    }
    return n;
}

std::size_t nr_pages_of_nodes()
{
    std::size_t n = 0;
    for (unsigned shard = 0; shard < nr_shards(); ++shard) {
        if (const kmem_cache_node* node = cache_for(own_cache::node).node(shard))
            n += node->nr_pages_held;
    }
    return n;
}

/// Without those of the nodes, which stay.
std::size_t nr_pages_used()
{
    const zone_counts& zone = zone_normal.counts();
    return zone.nr_online * pages_per_pageblock - zone.nr_free - nr_pages_of_nodes();
}

} // namespace

TEST_CASE("a size used for the first time needs no memory but free pages")
{
    std::size_t mapped = 0;
    for (unsigned c = 1; c < nr_classes; ++c) {
        const std::vector<void*> object = take(kmalloc_cache(c), 1);
        if (c == 1) // the arena and its tables are there
            mapped = memblock_mapped();
        const unsigned shard = position(object[0]).head->shard;
        const object_position node = position(kmalloc_cache(c).node(shard));
        CHECK(node.cache == &cache_for(own_cache::node));
        flush(kmalloc_cache(c), object);
    }
    CHECK(memblock_mapped() == mapped);
}

TEST_CASE("objects of every class are apart, aligned, and found again from any address in them")
{
    for (unsigned c = 1; c < nr_classes; ++c) {
        const kmem_cache& cache = kmalloc_cache(c);
        INFO(cache.name());
        const std::vector<void*> objects = take(cache, cache.is_single() ? 2 : 30);
        std::set<char*> sorted;
        for (void* object : objects) {
            auto* at = static_cast<char*>(object);
            sorted.insert(at);
            REQUIRE(reinterpret_cast<std::uintptr_t>(at) % natural_alignment(cache.size()) == 0);
            REQUIRE(page_classes.lookup(at) == (cache.is_single() ? single_map_class : c));
            REQUIRE((!cache.is_single() || page_classes.lookup(at + bytes_per_page) == 0));
            for (const char* inside : {at, at + cache.size() / 2, at + cache.size() - 1}) {
                if (cache.is_single() && inside != at)
                    continue; // only its first page speaks
                const object_position where = position(inside);
                REQUIRE(where.is_object);
                REQUIRE(where.object == at);
                REQUIRE(where.offset == static_cast<std::size_t>(inside - at));
                REQUIRE(where.cache == &cache);
                REQUIRE_FALSE(is_free(where));
            }
        }
        REQUIRE(sorted.size() == objects.size());
        for (auto it = sorted.begin(); std::next(it) != sorted.end(); ++it)
            REQUIRE(*std::next(it) - *it >= static_cast<std::ptrdiff_t>(cache.size()));
        cache.validate();
        flush(cache, objects);
        cache.validate();
        for (void* object : objects) {
            const page* p = virt_to_page(object);
            REQUIRE((p->state == page_state::free || is_free(locate(object, *p))));
        }
        cache.shrink();
        REQUIRE(nr_slabs(cache) == 0);
    }
    CHECK(nr_pages_used() == 0);
}

TEST_CASE("a refill is ascending and of one slab")
{
    const kmem_cache& cache = cache_of_size(80);
    const std::vector<void*> objects = refill(cache, 40);
    CHECK(objects.size() > 1);
    CHECK(std::is_sorted(objects.begin(), objects.end()));
    for (void* object : objects)
        CHECK(position(object).head == position(objects[0]).head);
}

TEST_CASE("a refill opens one page that nobody touched, and a sixteenth of the cache ahead")
{
    const kmem_cache& cache = cache_of_size(512);
    const pageblock& block = pageblock_of(take(cache, 100)[0]); // slabs have several pages by now
    std::size_t before = block.dirty.count(0, pages_per_pageblock);
    for (int i = 0; i < 50; ++i) {
        for (void* object : refill(cache, 61)) {
            REQUIRE(&pageblock_of(object) == &block);
            REQUIRE(block.dirty.test(address_to_pfn(object) % pages_per_pageblock));
        }
        const std::size_t now = block.dirty.count(0, pages_per_pageblock);
        std::size_t held = 0;
        for (unsigned shard = 0; shard < nr_shards(); ++shard)
            held +=
                cache.node(shard) == nullptr ? 0 : std::size_t{cache.node(shard)->nr_pages_held};
        REQUIRE(now <= before + 1 + held / populate_part);
        before = now;
    }
}

TEST_CASE("a refill takes all that is wanted where every page holds memory")
{
    const kmem_cache& cache = cache_of_size(512);
    REQUIRE(sheaf_capacity_max * cache.size() > refill_bytes_max);
    std::vector<void*> slab;
    for (void* object : take(cache, 500)) { // slabs have 64 objects by then
        if (!slab.empty() && position(slab[0]).head != position(object).head) {
            if (slab.size() > sheaf_capacity_max)
                break;
            slab.clear();
        }
        slab.push_back(object);
    }
    REQUIRE(slab.size() > sheaf_capacity_max);
    const page* head = position(slab.back()).head;
    slab.pop_back(); // one stays in use, and the slab with it
    flush(cache, slab);
    std::vector<void*> objects;
    do // fuller slabs serve first
        objects = refill(cache, sheaf_capacity_max);
    while (position(objects[0]).head != head);
    CHECK(objects.size() == sheaf_capacity_max);
}

TEST_CASE("objects in rows, up and down, side by side and with gaps, are all free afterwards")
{
    const kmem_cache& cache = cache_of_size(48);
    std::vector<void*> objects = take(cache, 300);
    const auto middle = objects.begin() + 100;
    std::reverse(middle, objects.begin() + 200);
    std::stable_partition(objects.begin() + 150, objects.end(),
                          [&](void* object) { return position(object).index % 3 == 0; });
    flush(cache, objects);
    for (void* object : objects)
        CHECK(is_free(position(object)));
    cache.validate();
    cache.shrink();
    CHECK(nr_slabs(cache) == 0);
}

TEST_CASE("objects are known to be zeros until their page is used again")
{
    const kmem_cache& cache = cache_of_size(512);
    bool zeros = false;
    const std::vector<void*> first = refill(cache, 4, &zeros);
    REQUIRE(first.size() == 4);
    CHECK(zeros);
    for (void* object : first) {
        REQUIRE(is_zero(object, 512));
        std::memset(object, 1, 512);
    }
    const std::vector<void*> same_page = refill(cache, 4, &zeros);
    CHECK_FALSE(zeros);
    flush(cache, first);
    flush(cache, same_page);
    refill(cache, 4, &zeros);
    CHECK_FALSE(zeros);
}

TEST_CASE("the fullest slab serves first")
{
    const kmem_cache& cache = cache_of_size(4096); // slabs have few objects
    const std::vector<void*> objects = take(cache, 64);
    std::vector<std::vector<void*>> by_slab;
    for (void* object : objects) {
        if (by_slab.empty() || position(by_slab.back()[0]).head != position(object).head)
            by_slab.emplace_back();
        by_slab.back().push_back(object);
    }
    REQUIRE(by_slab.size() >= 3);
    std::vector<void*>& full = by_slab[by_slab.size() - 2];
    std::vector<void*>& sparse = by_slab[by_slab.size() - 3];
    REQUIRE(full.size() >= 4);
    REQUIRE(sparse.size() >= 4);
    void* last = full.back();
    cache.flush(nullptr, &last, 1);
    cache.flush(nullptr, sparse.data(), static_cast<unsigned>(sparse.size() - 1));
    // `sparse` was freed to last, and has more to offer; yet the other one is filled up first.
    CHECK(refill(cache, 1)[0] == last);
    CHECK(position(sparse.back()).head->nr_free == sparse.size() - 1);
}

TEST_CASE("slabs that have room for it are coloured")
{
    std::set<std::size_t> colours;
    const kmem_cache& cache = cache_of_size(2560);
    std::set<page*> heads;
    for (void* object : take(cache, 400))
        heads.insert(position(object).head);
    for (page* head : heads) {
        const std::size_t offset = head->colour * malloc_alignment;
        colours.insert(offset);
        CHECK(offset % natural_alignment(cache.size()) == 0);
        CHECK(offset + cache.objects_in(head->order) * cache.size() <= nr_pages(head->order)
                                                                           << page_shift);
    }
    REQUIRE(heads.size() > 3);
    CHECK(colours.size() > 1);
    // A power of two has no rest, and so no colour.
    for (void* object : take(cache_of_size(1024), 200))
        CHECK(position(object).head->colour == 0);
}

TEST_CASE("a large object takes its own pages, not those of its block")
{
    const kmem_cache& cache = cache_of_size(40 * kib);
    const std::size_t before = nr_pages_used();
    const std::vector<void*> objects = take(cache, 10);
    CHECK(nr_pages_used() - before == 10 * 10);
    for (void* object : objects) {
        page* head = single_object_at(object);
        REQUIRE(head != nullptr);
        CHECK(single_object_at(static_cast<char*>(object) + bytes_per_page) == nullptr);
        REQUIRE(park(*head));
        CHECK_FALSE(park(*head)); // freed twice
        unpark(*head);
        REQUIRE(park(*head));
        unpark(*head);
    }
    flush(cache, objects);
    cache.shrink();
    CHECK(nr_pages_used() == before);
    CHECK(single_object_at(objects[0]) == nullptr);
}

TEST_CASE("large objects of one cache have as many pages as was asked for")
{
    const kmem_cache& cache = cache_of_size(256 * kib); // 57 to 64 pages
    flush(cache, take(cache, 4));                       // the zone has grown
    const std::size_t before = nr_pages_used();
    std::vector<void*> objects;
    std::size_t sum = 0;
    for (std::size_t pages : {57, 64, 60}) {
        bool zeros = false;
        void* object = cache.refill_single(current_shard(), {pages, run_fit::tight}, zeros);
        REQUIRE(object != nullptr);
        CHECK(single_pages(*single_object_at(object)) == pages);
        sum += pages;
        CHECK(nr_pages_used() - before == sum);
        objects.push_back(object);
    }
    page& head = *single_object_at(objects[2]);
    REQUIRE(cache.resize_single(head, cache, 58));
    CHECK(nr_pages_used() - before == sum - 2);
    const kmem_cache& smaller = cache_of_size(64 * kib);
    REQUIRE(cache.resize_single(head, smaller, 15));
    CHECK(nr_pages_used() - before == 57 + 64 + 15);
    CHECK(cache.node(head.shard)->nr_pages_held == 57 + 64);
    CHECK(smaller.node(head.shard)->nr_pages_held == 15);
    flush(smaller, {objects[2]});
    flush(cache, {objects[0], objects[1]});
    CHECK(nr_pages_used() == before);
}

TEST_CASE("pages of a large object can be taken over")
{
    const kmem_cache& cache = cache_of_size(256 * kib);
    const std::size_t slabs = nr_slabs(cache);
    void* object = take(cache, 1)[0];
    const std::size_t used = nr_pages_used();
    cache.disown_single(*single_object_at(object));
    CHECK(nr_slabs(cache) == slabs);
    CHECK(nr_pages_used() == used); // the caller's now
    CHECK(single_object_at(object) == nullptr);
    mutex_guard guard(zone_normal.lock);
    zone_normal.free_run(static_cast<char*>(object), 64);
}

TEST_CASE("random refills and flushes agree with a set of pointers")
{
    std::mt19937 random(11);
    for (std::size_t size : {16, 48, 112, 1024, 1280, 4096, 28672, 32768}) {
        const kmem_cache& cache = cache_of_size(size);
        INFO(cache.name());
        struct live_object
        {
            char* at;
            char mark;
        };
        std::vector<live_object> live;
        std::set<void*> known;
        for (int step = 0; step < 3000; ++step) {
            if (live.size() < 30 || (random() % 2 == 0 && live.size() < 3000)) {
                const unsigned shard = static_cast<unsigned>(random() % nr_shards());
                for (void* object :
                     refill(cache, 1 + static_cast<unsigned>(random() % 61), nullptr, shard)) {
                    REQUIRE(known.insert(object).second);
                    const char mark = static_cast<char>(random());
                    std::memset(object, mark, cache.size());
                    live.push_back({static_cast<char*>(object), mark});
                }
                continue;
            }
            // Any objects, of any slabs, in any order.
            std::vector<void*> given;
            for (std::size_t n = 1 + random() % 30; n != 0; --n) {
                const std::size_t i = random() % live.size();
                const live_object o = live[i];
                REQUIRE(o.at[0] == o.mark);
                REQUIRE(o.at[cache.size() - 1] == o.mark);
                known.erase(o.at);
                given.push_back(o.at);
                live[i] = live.back();
                live.pop_back();
            }
            flush(cache, given);
            if (step % 300 == 0)
                cache.validate();
        }
        cache.validate();
        flush(cache, std::vector<void*>(known.begin(), known.end()));
        cache.shrink();
        REQUIRE(nr_slabs(cache) == 0);
    }
}

TEST_CASE("counts of a node are what its slabs hold")
{
    const kmem_cache& cache = cache_of_size(192);
    const std::vector<void*> objects = take(cache, 1000);
    std::size_t room = 0;
    std::size_t free = 0;
    std::size_t pages = 0;
    for (unsigned shard = 0; shard < nr_shards(); ++shard) {
        if (const kmem_cache_node* node = cache.node(shard)) {
            room += node->nr_objects;
            free += node->nr_free;
            pages += node->nr_pages_held;
        }
    }
    CHECK(room - free == 1000);
    std::set<page*> heads;
    std::size_t expected_room = 0;
    std::size_t expected_pages = 0;
    for (void* object : objects) {
        page* head = position(object).head;
        if (heads.insert(head).second) {
            expected_room += cache.objects_in(head->order);
            expected_pages += nr_pages(head->order);
        }
    }
    CHECK(room == expected_room);
    CHECK(pages == expected_pages);
    CHECK(nr_slabs(cache) == heads.size());
}
