#include "heap/heap.hpp"
#include "heap/registry.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

using namespace bsl;

namespace
{

constexpr std::size_t size = 512;

void allocate_and_free(std::size_t bytes)
{
    std::vector<void*> objects(bytes / size);
    for (void*& object : objects)
        object = heap::malloc(size);
    for (void* object : objects)
        heap::free(object);
}

std::size_t bytes_kept()
{
    return this_thread_heap()->nr_cached(class_of(size)) * size;
}

} // namespace

TEST_CASE("a thread keeps more of what it gave back and needed again, up to a part of the heap")
{
    // A heap of which a part is more than the least.
    allocate_and_free(64 * mib);
    drain_all_threads();

    allocate_and_free(3 * mib);
    const std::size_t first = bytes_kept();
    CHECK(first <= thread_class_bytes_min + sheaf_bytes_max);
    for (int i = 0; i < 6; ++i)
        allocate_and_free(3 * mib);
    const std::size_t later = bytes_kept();
    CHECK(later > 2 * first);
    CHECK(later <= thread_class_bytes_min + thread_bytes_max + sheaf_bytes_max);

    SECTION("until it is drained")
    {
        drain_all_threads();
        CHECK(bytes_kept() <= sheaf_bytes_max);
        allocate_and_free(3 * mib);
        CHECK(bytes_kept() <= thread_class_bytes_min + sheaf_bytes_max);
    }
    SECTION("though not of a size that is freed once and for all")
    {
        drain_all_threads();
        std::vector<void*> objects(6 * mib / size);
        for (void*& object : objects)
            object = heap::malloc(size);
        for (void* object : objects)
            heap::free(object);
        CHECK(bytes_kept() <= thread_class_bytes_min + sheaf_bytes_max);
    }
}

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
