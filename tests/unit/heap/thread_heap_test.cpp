#include "unit/memory.hpp"

#include "heap/heap.hpp"
#include "heap/registry.hpp"
#include "slab/cache_table.hpp"

#include <algorithm>
#include <bitset>
#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

using namespace bsl;

namespace
{

constexpr std::size_t size = 512;

} // namespace

TEST_CASE(
    "a large object that a thread keeps gives way before pages are touched that hold no memory")
{
    constexpr std::size_t large = 512 * kib;
    const auto nr_kept = [] { return this_thread_heap()->nr_cached(class_of(large)); };
    const auto keep_one = [] {
        void* p = heap::malloc(large);
        std::memset(p, 1, large);
        heap::free(p);
    };
    drain_all_threads();
    keep_one();
    REQUIRE(nr_kept() == 1);
    heap::free(heap::malloc(large));
    CHECK(nr_kept() == 1); // it serves its own size

    SECTION("for small objects")
    {
        std::vector<void*> objects;
        while (objects.size() < 4 * mib / size && nr_kept() != 0)
            objects.push_back(heap::malloc(size));
        CHECK(nr_kept() == 0);
        for (void* object : objects)
            heap::free(object);
    }
    SECTION("for larger ones")
    {
        void* larger = heap::malloc(2 * mib);
        CHECK(nr_kept() == 0);
        heap::free(larger);
    }
}

TEST_CASE("a large object that a thread keeps serves a request of its class if it has the pages")
{
    constexpr std::size_t most = 512 * kib; // of its class; the next smaller one ends at 480 KiB
    constexpr std::size_t size = most - 20 * kib;
    const unsigned size_class = class_of(most);
    drain_all_threads();
    void* kept = heap::malloc(size);
    CHECK(heap::usable_size(kept, "test") == size);
    heap::free(kept);
    REQUIRE(this_thread_heap()->large_bytes_of(size_class) == size);
    CHECK(this_thread_heap()->take_large(size_class, most >> page_shift) == nullptr);
    REQUIRE(this_thread_heap()->large_bytes_of(size_class) == size);
    void* again = heap::malloc(size - kib);
    CHECK(again == kept);
    CHECK(heap::usable_size(again, "test") == size);
    heap::free(again);
}

TEST_CASE("objects that nobody asks for give way when the heap grows, others stay")
{
    constexpr std::size_t other_size = 1024;
    constexpr unsigned in_bin = sheaf_capacity_max;
    const auto nr_cached = [](std::size_t s) {
        const kmem_cache& cache = kmalloc_cache(class_of(s));
        std::size_t n = this_thread_heap()->nr_cached(class_of(s));
        for (unsigned shard = 0; shard < nr_shards(); ++shard) {
            if (kmem_cache_node* node = cache.node(shard))
                n += node->sheaves.nr_objects();
        }
        return n;
    };
    const auto use = [](std::size_t s, std::size_t nr = 1000) {
        std::vector<void*> objects(nr);
        for (void*& object : objects)
            object = heap::malloc(s);
        for (void* object : objects)
            heap::free(object);
    };
    use(other_size, 10000); // the heap has been larger than it is now
    drain_all_threads();
    use(size);
    use(other_size);
    REQUIRE(nr_cached(size) > in_bin);
    REQUIRE(nr_cached(other_size) > in_bin);

    const std::size_t until = 2 * stays_until(stays_until(zone_normal.counts().nr_used_peak));
    std::vector<void*> growth;
    while (zone_normal.counts().nr_used_peak < until) {
        for (int i = 0; i < 64; ++i)
            growth.push_back(heap::malloc(2 * kib));
        use(other_size);
    }
    CHECK(nr_cached(size) == 0);
    CHECK(nr_cached(other_size) > in_bin);
    for (void* object : growth)
        heap::free(object);
}

TEST_CASE("a thread keeps the sheaves that it emptied, until it is to give up what is idle")
{
    constexpr unsigned nr_sheaves = 20;
    const auto nr_sheaves_out = [] {
        std::size_t n = 0;
        for (unsigned shard = 0; shard < nr_shards(); ++shard) {
            if (kmem_cache_node* node = cache_for(own_cache::sheaf).node(shard))
                n += node->nr_objects - node->nr_free;
        }
        return n;
    };
    drain_all_threads();
    std::vector<void*> objects(nr_sheaves * sheaf_capacity_max);
    const auto take_all = [&objects] {
        for (void*& object : objects)
            object = heap::malloc(64);
    };
    const auto free_all = [&objects] {
        for (void* object : objects)
            heap::free(object);
    };
    take_all();
    free_all();
    const std::size_t full = nr_sheaves_out();
    take_all();
    CHECK(nr_sheaves_out() + 2 >= full); // one in the bin, one on its way
    this_thread_heap()->give_up_idle();
    CHECK(nr_sheaves_out() + nr_sheaves / 2 < full);
    free_all();
}

TEST_CASE("what comes first of each class is spread over the sets of a processor's cache")
{
    drain_all_threads();
    std::bitset<bytes_per_page / cache_line_size> sets;
    std::vector<void*> objects;
    for (unsigned c = 1; c <= nr_small_classes; ++c) {
        objects.push_back(heap::malloc(class_size(c)));
        sets.set(reinterpret_cast<std::uintptr_t>(objects.back()) / cache_line_size % sets.size());
    }
    CHECK(sets.count() >= 24); // 40 of 64 are to be expected
    for (void* object : objects)
        heap::free(object);
}

TEST_CASE("what lies in a bin is handed out without a slow path, whatever asks for it")
{
    const auto nr_slow_paths = [](auto allocate) {
        heap::free(allocate()); // now there is one
        const unsigned before = this_thread.slow_paths;
        for (int i = 0; i < 100; ++i)
            heap::free(allocate());
        return this_thread.slow_paths - before;
    };
    CHECK(nr_slow_paths([] { return heap::malloc(100); }) == 0);
    CHECK(nr_slow_paths([] { return heap::malloc(0); }) == 0);
    CHECK(nr_slow_paths([] { return heap::malloc(slab_size_max); }) == 0);
    CHECK(nr_slow_paths([] { return heap::calloc(10, 10); }) == 0);
    CHECK(nr_slow_paths([] { return heap::calloc(10, 300); }) == 0);
    CHECK(nr_slow_paths([] { return heap::aligned_alloc(64, 100); }) == 0);
    CHECK(nr_slow_paths([] { return heap::aligned_alloc(bytes_per_page, 100); }) == 0);
    CHECK(nr_slow_paths([] { return heap::realloc(nullptr, 100, "test"); }) == 0);
    CHECK(nr_slow_paths([] { return heap::realloc(heap::malloc(100), 300, "test"); }) == 0);
    CHECK(nr_slow_paths([] { return heap::realloc(heap::malloc(300), 100, "test"); }) == 0);
    CHECK(nr_slow_paths([] { return heap::malloc(64 * kib); }) == 0);
}

TEST_CASE("who asks for zeros again gets no more memory than was written to")
{
    constexpr std::size_t large = 2048 * kib;
    auto* p = static_cast<char*>(heap::calloc(1, large));
    p[0] = 1;
    p[large / 2] = 1;
    const std::size_t resident = resident_pages(p, large);
    heap::free(p);
    auto* again = static_cast<char*>(heap::calloc(2, large / 2));
    REQUIRE(again == p);
    CHECK(resident_pages(p, large) <= resident);
    CHECK(std::all_of(p, p + large, [](char c) { return c == 0; }));
    heap::free(again);
}
