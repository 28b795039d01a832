#include "proc/heap_totals.hpp"

#include "heap/heap.hpp"
#include "slab/size_class.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <thread>
#include <vector>

using namespace bsl;

namespace
{

class_totals totals_of_size(std::size_t size)
{
    return totals_of_heap().of_class[class_of(size)];
}

std::vector<void*> allocate(std::size_t n, std::size_t size)
{
    std::vector<void*> objects(n);
    for (void*& object : objects) {
        object = heap::malloc(size);
        REQUIRE(object != nullptr);
        std::memset(object, 1, size);
    }
    return objects;
}

void release(const std::vector<void*>& objects)
{
    for (void* object : objects)
        heap::free(object);
}

/// What heap_totals.hpp says of the sums.
void check_sums(const heap_totals& t)
{
    std::size_t objects = 0;
    std::size_t bytes = 0;
    std::size_t cached = 0;
    std::size_t slab_pages = 0;
    for (unsigned c = 1; c < nr_classes; ++c) {
        objects += t.of_class[c].nr_in_use;
        const class_totals& of = t.of_class[c];
        bytes += of.in_use_bytes;
        if (c < nr_slab_classes)
            CHECK(of.in_use_bytes == of.nr_in_use * class_size(c));
        else
            CHECK(of.in_use_bytes + of.cached_bytes == of.nr_pages << page_shift);
        cached += t.of_class[c].nr_cached;
        slab_pages += t.of_class[c].nr_pages;
    }
    CHECK(t.nr_objects == objects);
    CHECK(t.object_bytes == bytes);
    CHECK(t.nr_cached == cached);
    CHECK((t.nr_pages_in_use << page_shift) ==
          t.run_bytes + ((slab_pages + t.nr_pages_own) << page_shift));
    CHECK(t.peak_mapped >= t.mapped());
    CHECK(t.peak_in_use >= t.in_use());
    const std::size_t pages = t.nr_pages_in_use + t.nr_pages_free_resident + t.nr_pages_free_clean;
    CHECK(pages << page_shift <= t.arena_bytes);
}

} // namespace

TEST_CASE("objects in use are those of the program, whatever threads keep")
{
    const class_totals start = totals_of_size(100);
    const std::vector<void*> objects = allocate(1000, 100);
    CHECK(totals_of_size(100).nr_in_use == start.nr_in_use + 1000);
    check_sums(totals_of_heap());
    release(objects);
    const class_totals end = totals_of_size(100);
    CHECK(end.nr_in_use == start.nr_in_use);
    CHECK(end.nr_cached > 0);
    check_sums(totals_of_heap());
    heap::trim(0);
    CHECK(totals_of_size(100).nr_cached == 0);
    check_sums(totals_of_heap());
}

TEST_CASE("objects of other threads count, living and cached")
{
    const std::size_t start = totals_of_size(200).nr_in_use;
    std::vector<void*> objects;
    std::thread([&] {
        objects = allocate(500, 200);
        CHECK(totals_of_size(200).nr_in_use == start + 500);
    }).join();
    CHECK(totals_of_size(200).nr_in_use == start + 500);
    release(objects);
    CHECK(totals_of_size(200).nr_in_use == start);
}

TEST_CASE("large objects count while they live, not while a thread keeps them")
{
    const class_totals start = totals_of_size(100 * kib);
    void* object = heap::malloc(100 * kib);
    const class_totals with = totals_of_size(100 * kib);
    CHECK(with.nr_in_use == start.nr_in_use + 1);
    CHECK(with.in_use_bytes == start.in_use_bytes + 100 * kib);
    check_sums(totals_of_heap());
    heap::free(object);
    const class_totals after = totals_of_size(100 * kib);
    CHECK(after.nr_in_use == start.nr_in_use);
    CHECK(after.in_use_bytes == start.in_use_bytes);
    CHECK(after.cached_bytes == start.cached_bytes + 100 * kib);
    check_sums(totals_of_heap());
}

TEST_CASE("windows count by their bytes, live and cached")
{
    const heap_totals start = totals_of_heap();
    void* window = heap::malloc(10 * mib);
    const heap_totals with = totals_of_heap();
    CHECK(with.nr_windows == start.nr_windows + 1);
    CHECK(with.live_window_bytes >= start.live_window_bytes + 10 * mib);
    CHECK(with.in_use() >= start.in_use() + 10 * mib);
    CHECK(with.nr_windows_made == start.nr_windows_made + 1);
    CHECK(with.mapped() >= start.mapped() + 10 * mib);
    check_sums(with);
    heap::free(window);
    const heap_totals after = totals_of_heap();
    CHECK(after.nr_windows == start.nr_windows);
    CHECK(after.live_window_bytes == start.live_window_bytes);
    CHECK(after.cached_window_bytes >= 10 * mib);
    CHECK(after.peak_in_use >= with.in_use());
    CHECK(after.peak_mapped >= with.mapped());
    check_sums(after);
}

TEST_CASE("whole pages that no class serves are runs")
{
    const heap_totals start = totals_of_heap();
    void* run = heap::aligned_alloc(256 * kib, 20 * kib);
    REQUIRE(run != nullptr);
    const heap_totals with = totals_of_heap();
    CHECK(with.run_bytes == start.run_bytes + 20 * kib);
    check_sums(with);
    heap::free(run);
    CHECK(totals_of_heap().run_bytes == start.run_bytes);
}

TEST_CASE("memory that goes back to the system is counted")
{
    release(allocate(20000, 1000));
    const heap_totals before = totals_of_heap();
    REQUIRE(heap::trim(0));
    const heap_totals after = totals_of_heap();
    CHECK(after.returned_bytes > before.returned_bytes + 5 * mib);
    CHECK(after.returned_calls > before.returned_calls);
    CHECK(after.nr_pages_free_resident < before.nr_pages_free_resident + before.nr_cached);
    CHECK(after.nr_pages_free_resident <= 16);
    CHECK(after.in_use() == before.in_use());
}

TEST_CASE("while threads allocate, the sums stay sensible")
{
    std::atomic<bool> done{false};
    auto busy = [&done](unsigned seed) {
        std::vector<void*> mine;
        while (!done) {
            for (unsigned i = 0; i < 300; ++i) {
                seed = seed * 1103515245 + 12345;
                mine.push_back(heap::malloc(16 + seed / 65536 % 3000));
            }
            release(mine);
            mine.clear();
        }
    };
    std::thread one(busy, 1);
    std::thread two(busy, 2);
    const std::size_t most = 64 * mib; // of what two times 300 small objects can make
    bool all = true;
    for (int i = 0; i < 300; ++i) {
        const heap_totals now = totals_of_heap();
        all &= now.in_use() < most && now.cached_bytes < most && now.free_bytes < most;
        all &= now.run_bytes < most && now.mapped() < most;
        all &= now.nr_pages_in_use < most >> page_shift;
    }
    done = true;
    one.join();
    two.join();
    CHECK(all);
    check_sums(totals_of_heap());
}
