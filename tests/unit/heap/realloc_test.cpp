#include "heap/heap.hpp"
#include "heap/registry.hpp"
#include "slab/kmem_cache.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

using namespace bsl;

namespace
{

char* resize(void* p, std::size_t size)
{
    return static_cast<char*>(heap::realloc(p, size, "test"));
}

bool holds(const char* p, std::size_t size, char byte)
{
    return std::vector<char>(size, byte) == std::vector<char>(p, p + size);
}

/// Of objects with a slab each that are no larger than what slabs of many objects serve, or the next class.
std::size_t nr_smallest_singles()
{
    std::size_t sum = 0;
    for (unsigned shard = 0; shard < nr_shards(); ++shard) {
        const kmem_cache_node* node = kmalloc_cache(nr_slab_classes).node(shard);
        sum += node == nullptr ? 0 : std::size_t{node->nr_slabs};
    }
    return sum;
}

} // namespace

TEST_CASE("what realloc makes large grows on where it is")
{
    drain_all_threads();
    char* p = resize(nullptr, 4000);
    std::memset(p, 1, 4000);
    p = resize(p, grow_by_pages_from + 1);
    CHECK(holds(p, 4000, 1));
    char* const place = p;
    std::memset(p, 2, grow_by_pages_from + 1);
    for (std::size_t size = 20 * kib; size <= 256 * kib; size += 4 * kib) {
        p = resize(p, size);
        CHECK(p == place);
        CHECK(heap::usable_size(p, "test") >= size);
        p[size - 1] = 3;
    }
    CHECK(holds(p, grow_by_pages_from + 1, 2));
    heap::free(p);
}

TEST_CASE(
    "a large object that grows has a quarter to spare, one that shrinks gives back what it can")
{
    drain_all_threads();
    char* p = static_cast<char*>(heap::malloc(484 * kib));
    const auto usable_after = [&p](std::size_t size) {
        p = resize(p, size);
        return heap::usable_size(p, "test");
    };
    p[0] = 'a';
    p[484 * kib - 1] = 'z';
    CHECK(usable_after(484 * kib + 1) == 608 * kib);
    CHECK((p[0] == 'a' && p[484 * kib - 1] == 'z'));
    char* const before = p;
    CHECK(usable_after(200 * kib + 1) == 204 * kib);
    CHECK(p == before);
    heap::free(p);
}

TEST_CASE("where there is no room to spare, a large object grows by the pages that it needs")
{
    drain_all_threads();
    const auto room_behind = [](const char* p) {
        return pageblock_size - reinterpret_cast<std::uintptr_t>(p) % pageblock_size;
    };
    std::vector<char*> others;
    char* last = nullptr;
    while (last == nullptr && others.size() < 32) {
        auto* p = static_cast<char*>(heap::malloc(1000 * kib));
        const bool is_last = room_behind(p) >= 1004 * kib && room_behind(p) < 1250 * kib;
        if (is_last)
            last = p;
        else
            others.push_back(p);
    }
    for (char* p : others)
        heap::free(p);
    REQUIRE(last != nullptr);
    drain_all_threads();
    CHECK(resize(last, 1000 * kib + 1) == last);
    CHECK(heap::usable_size(last, "test") == 1004 * kib);
    heap::free(last);
}

TEST_CASE("what realloc makes less than half as large gives pages back where it is")
{
    auto* p = static_cast<char*>(heap::malloc(mib));
    std::memset(p, 1, mib);
    CHECK(resize(p, 512 * kib) == p); // half of it is in use
    CHECK(heap::usable_size(p, "test") == mib);
    for (const std::size_t size : {500 * kib, 64 * kib, 20 * kib, grow_by_pages_from + 1}) {
        CHECK(resize(p, size) == p);
        CHECK(heap::usable_size(p, "test") == round_up(size, bytes_per_page));
    }
    CHECK(holds(p, grow_by_pages_from + 1, 1));
    char* small = resize(p, 3000);
    CHECK(small != p);
    CHECK(heap::usable_size(small, "test") < 6000);
    CHECK(holds(small, 3000, 1));
    heap::free(small);
}

TEST_CASE("few pages that realloc took go back wherever they begin")
{
    drain_all_threads();
    const std::size_t before = nr_smallest_singles();
    std::vector<char*> objects;
    for (std::size_t i = 0; i < 200; ++i) { // 5 to 10 pages: 8 are a block, but need not be aligned
        objects.push_back(resize(heap::malloc(4000), grow_by_pages_from + 1 + i * 1531 % 20000));
        std::memset(objects.back(), static_cast<int>(i), grow_by_pages_from);
    }
    for (std::size_t i = 0; i < objects.size(); ++i)
        CHECK(holds(objects[i], grow_by_pages_from, static_cast<char>(i)));
    for (std::size_t i = 0; i < objects.size(); i += 2)
        heap::free(objects[i]);
    std::vector<void*> others; // slabs, in the same pages
    for (std::size_t i = 0; i < 500; ++i)
        others.push_back(std::memset(heap::malloc(1000), 0x55, 1000));
    for (std::size_t i = 1; i < objects.size(); i += 2) {
        CHECK(holds(objects[i], grow_by_pages_from, static_cast<char>(i)));
        heap::free(objects[i]);
    }
    for (void* other : others)
        heap::free(other);
    drain_all_threads();
    CHECK(nr_smallest_singles() == before); // none waits for somebody to want it
}

TEST_CASE("a realloc that fails leaves the object as it is")
{
    for (const std::size_t size : {100UL, 10 * kib, 100 * kib, 8 * mib}) {
        auto* p = static_cast<char*>(heap::malloc(size));
        std::memset(p, 1, size);
        CHECK(resize(p, PTRDIFF_MAX) == nullptr);
        CHECK(holds(p, size, 1));
        heap::free(p);
    }
}
