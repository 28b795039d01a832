#include "heap/heap.hpp"
#include "heap/registry.hpp"

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
