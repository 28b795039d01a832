#include "vmalloc/vmalloc.hpp"

#include "unit/huge_pages.hpp"
#include "unit/params.hpp"
#include "unit/vmalloc/memory.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <random>
#include <thread>

using namespace bsl;
using namespace test;

TEST_CASE("a window is aligned, writable to its last byte, and explained by the section table")
{
    const std::size_t size = 9 * mib + 1;
    char* p = static_cast<char*>(vmalloc(size, 16, false));
    REQUIRE(p != nullptr);
    vm_area& area = window_of(p);
    CHECK(reinterpret_cast<std::uintptr_t>(p) % bytes_per_page == 0);
    CHECK(usable_size(area) >= size);
    std::memset(p, 0x5a, usable_size(area));
    CHECK(&window_of(p + usable_size(area) - 1) == &area);
    validate_everything();

    CHECK(vfree_check(area, p + 16) == vfree_result::not_start);
    CHECK(vfree(area, p + 16) == vfree_result::not_start);
    CHECK(p[usable_size(area) - 1] == 0x5a);
    CHECK(vfree(area, p) == vfree_result::kept);
    CHECK(vfree(area, p) == vfree_result::already_free);
    validate_everything();
    release_windows();
    CHECK(owner_of(p).window == nullptr);
    CHECK(vfree(area, p) == vfree_result::already_free);
    validate_everything();
}

TEST_CASE("large alignments, and those that no address has")
{
    for (std::size_t alignment : {64 * kib, 8 * mib, 1 * gib}) {
        void* p = vmalloc(5 * mib, alignment, false);
        REQUIRE(p != nullptr);
        CHECK(reinterpret_cast<std::uintptr_t>(p) % alignment == 0);
        fill(p, 5 * mib, alignment);
        CHECK(has_pattern(p, 5 * mib, alignment));
        CHECK(is_freed(vfree(window_of(p), p)));
    }
    CHECK(vmalloc(5 * mib, std::size_t{1} << 62, false) == nullptr);
    CHECK(vmalloc(SIZE_MAX - 5, 16, false) == nullptr);
    CHECK(vmalloc(std::size_t{1} << 47, 16, true) == nullptr);
    validate_everything();
}

TEST_CASE("a freed window is used again, and is zero if that was asked for")
{
    void* p = vmalloc(8 * mib, 16, false);
    std::memset(p, 0xff, 8 * mib);
    REQUIRE(is_freed(vfree(window_of(p), p)));
    CHECK(counts_of_vmalloc().cached_bytes == 8 * mib);

    void* again = vmalloc(8 * mib - 100, 16, true);
    CHECK(again == p);
    CHECK(is_zero(again, 8 * mib));
    std::memset(again, 0xff, 8 * mib);
    vfree(window_of(again), again);

    // A larger request may use the window too; what it has more is zero in any case.
    void* larger = vmalloc(11 * mib, 16, true);
    CHECK(is_zero(larger, 11 * mib));
    vfree(window_of(larger), larger);
    validate_everything();
    release_windows();
    CHECK(counts_of_vmalloc().cached == 0);
}

TEST_CASE("a smaller cached window grows to serve a larger request, with its frames")
{
    void* p = vmalloc(16 * mib, 16, false);
    std::memset(p, 1, 16 * mib);
    vfree(window_of(p), p);
    const std::size_t made = counts_of_vmalloc().made;

    void* larger = vmalloc(48 * mib, 16, false);
    CHECK(counts_of_vmalloc().made == made);
    CHECK(resident_pages(larger, 48 * mib) == 16 * mib / bytes_per_page);
    vfree(window_of(larger), larger);
    release_windows();
    validate_everything();
}

TEST_CASE("the cache is bounded by bytes, the oldest window leaves it first")
{
    void* p[4];
    for (void*& each : p)
        each = vmalloc(20 * mib, 16, false);
    for (void* each : p)
        vfree(window_of(each), each);
    CHECK(counts_of_vmalloc().cached_bytes == 60 * mib);
    CHECK(owner_of(p[0]).window == nullptr);
    CHECK(owner_of(p[3]).window != nullptr);

    void* huge = vmalloc(4 * param.window_cache, 16, false);
    vfree(window_of(huge), huge);
    CHECK(owner_of(huge).window == nullptr);
    release_windows();
    validate_everything();
}

TEST_CASE("cached windows give way to a heap that grows by half of them without using them again")
{
    const auto grow = [](std::size_t bytes) {
        for (std::size_t n = 0; n < bytes; n += pageblock_size)
            REQUIRE(alloc_block(max_page_order) != nullptr);
        let_windows_give_way();
    };
    void* p = vmalloc(32 * mib, 16, false);
    fill(p, 32 * mib, 3);
    vfree(window_of(p), p);
    grow(12 * mib);
    CHECK(counts_of_vmalloc().cached_bytes == 32 * mib);
    p = vmalloc(32 * mib, 16, false); // it is of use, and may stay for as much again
    CHECK(resident_pages(p, 32 * mib) == 32 * mib / bytes_per_page);
    vfree(window_of(p), p);
    grow(12 * mib);
    CHECK(counts_of_vmalloc().cached_bytes == 32 * mib);
    grow(8 * mib);
    CHECK(counts_of_vmalloc().cached_bytes == 0);
    validate_everything();
}

TEST_CASE("cached windows give way to a heap that grows again, too, though it was larger before")
{
    std::vector<char*> blocks;
    const auto grow = [&blocks](std::size_t bytes) {
        for (std::size_t n = 0; n < bytes; n += pageblock_size) {
            blocks.push_back(alloc_block(max_page_order));
            REQUIRE(blocks.back() != nullptr);
        }
    };
    grow(100 * mib);
    for (char* block : blocks) {
        mutex_guard guard(zone_normal.lock);
        zone_normal.free_block(block, max_page_order);
    }
    void* p = vmalloc(32 * mib, 16, false);
    fill(p, 32 * mib, 3);
    vfree(window_of(p), p);
    grow(12 * mib);
    let_windows_give_way();
    CHECK(counts_of_vmalloc().cached_bytes == 32 * mib);
    grow(8 * mib);
    let_windows_give_way();
    CHECK(counts_of_vmalloc().cached_bytes == 0);
    validate_everything();
}

TEST_CASE("a window grows to many times its size in small steps and keeps its contents")
{
    std::size_t size = 5 * mib;
    char* p = static_cast<char*>(vmalloc(size, 16, false));
    fill(p, size, 7);
    while (size < 300 * mib) {
        vm_area& area = window_of(p);
        const std::size_t next = size + 192 * kib;
        char* moved = static_cast<char*>(vrealloc(area, next));
        REQUIRE(moved != nullptr);
        REQUIRE(is_zero(moved + size, next - size));
        p = moved;
        size = next;
        fill(p + size - 192 * kib, 192 * kib, size);
    }
    CHECK(has_pattern(p, 5 * mib, 7));
    bool same = true;
    for (std::size_t at = 5 * mib; at < size; at += 192 * kib)
        same = same && has_pattern(p + at, 192 * kib, at + 192 * kib);
    CHECK(same);
    CHECK(counts_of_vmalloc().moved < 10);
    validate_everything();
    vfree(window_of(p), p);
    validate_everything();
}

TEST_CASE("a window that shrinks gives its memory back, and then its addresses")
{
    char* p = static_cast<char*>(vmalloc(64 * mib, 16, false));
    fill(p, 64 * mib, 3);
    vm_area& area = window_of(p);
    CHECK(vrealloc(area, 60 * mib) == p); // little: stays as it is
    CHECK(usable_size(area) == 64 * mib);

    REQUIRE(vrealloc(area, 6 * mib) == p);
    CHECK(usable_size(area) == 6 * mib);
    CHECK(has_pattern(p, 6 * mib, 3));
    CHECK(resident_pages(p + 6 * mib, 2 * mib) == 0);
    CHECK(owner_of(p + 20 * mib).window == nullptr);

    char* grown = static_cast<char*>(vrealloc(area, 70 * mib));
    REQUIRE(grown != nullptr);
    CHECK(has_pattern(grown, 6 * mib, 3));
    CHECK(is_zero(grown + 6 * mib, 64 * mib));
    vfree(area, grown);
    release_windows();
    validate_everything();
}

TEST_CASE("of many threads that free one window exactly one does")
{
    for (std::size_t size : {8 * mib, 4 * param.window_cache}) {
        for (int round = 0; round < 50; ++round) {
            void* p = vmalloc(size, 16, false);
            vm_area& area = window_of(p);
            std::atomic<int> ready{0};
            std::atomic<int> freed{0};
            auto body = [&] {
                ++ready;
                while (ready != 3)
                    std::this_thread::yield();
                freed += is_freed(vfree(area, p));
            };
            std::thread threads[] = {std::thread(body), std::thread(body), std::thread(body)};
            for (std::thread& t : threads)
                t.join();
            REQUIRE(freed == 1);
        }
    }
    validate_everything();
}

namespace
{

struct held
{
    char* p = nullptr;
    std::size_t size = 0;
    std::uint64_t seed = 0;
};

/// Allocates, frees and resizes at random, and checks every window's contents before it changes.
/// Returns how many checks failed.
int random_operations(unsigned seed, int nr_operations, std::size_t size_max)
{
    std::mt19937_64 random(seed);
    std::vector<held> all(6);
    int failures = 0;
    for (int i = 0; i < nr_operations; ++i) {
        held& h = all[random() % all.size()];
        const std::size_t size = (random() % size_max) + 1;
        if (h.p == nullptr) {
            const bool zeroed = random() % 4 == 0;
            h.p = static_cast<char*>(vmalloc(size, std::size_t{16} << random() % 20, zeroed));
            failures += h.p == nullptr;
            if (zeroed)
                failures += !is_zero(h.p, size);
        } else if (random() % 2 == 0) {
            char* p = static_cast<char*>(vrealloc(window_of(h.p), size));
            const std::size_t kept = round_down(size < h.size ? size : h.size, bytes_per_page);
            failures += p == nullptr || !has_pattern(p, kept, h.seed);
            h.p = p;
        } else {
            failures += !has_pattern(h.p, h.size, h.seed);
            failures += !is_freed(vfree(window_of(h.p), h.p));
            h = held{};
            continue;
        }
        h.seed = random();
        h.size = round_up(size, bytes_per_page);
        fill(h.p, h.size, h.seed);
    }
    for (held& h : all) {
        if (h.p != nullptr)
            failures += !is_freed(vfree(window_of(h.p), h.p));
    }
    return failures;
}

} // namespace

TEST_CASE("random operations keep every window's contents")
{
    for (unsigned seed : {1u, 2u, 3u}) {
        make_resident(6, 0xcc);
        CHECK(random_operations(seed, 150, 24 * mib) == 0);
        validate_everything();
        CHECK(counts_of_vmalloc().live == 0);
    }
    CHECK(counts_of_vmalloc().stitched > 0);
    CHECK(counts_of_vmalloc().moved > 0);
    CHECK(counts_of_vmalloc().reused > 0);
    release_windows();
    validate_everything();
    CHECK(counts_of_vmalloc().vmas == 0);
}

TEST_CASE("threads that allocate, resize and free at once")
{
    make_resident(8, 0xcc);
    std::atomic<int> failures{0};
    std::vector<std::thread> threads;
    for (unsigned seed = 10; seed < 14; ++seed)
        threads.emplace_back(
            [&failures, seed] { failures += random_operations(seed, 60, 16 * mib); });
    for (int i = 0; i < 20; ++i)
        release_windows();
    for (std::thread& t : threads)
        t.join();
    CHECK(failures == 0);
    validate_everything();
    release_windows();
    CHECK(counts_of_vmalloc().vmas == 0);
}

TEST_CASE("large windows that are filled ask for huge pages, as long as these are quicker")
{
    with_params restore;
    param.huge_windows_from = 8 * mib;
    auto is_asked = [](bool zeroed, std::uint64_t ns_of_a_page) {
        make_pages_take(ns_of_a_page);
        void* p = vmalloc(8 * mib, 16, zeroed);
        REQUIRE(p != nullptr);
        const bool asked = has_flag(p, "hg");
        REQUIRE(is_freed(vfree(window_of(p), p)));
        release_windows();
        return asked;
    };
    CHECK(is_asked(false, 1'000'000'000) == kernel_gives_huge_pages());
    CHECK_FALSE(is_asked(true, 1'000'000'000));
    CHECK_FALSE(is_asked(false, 0));
}
