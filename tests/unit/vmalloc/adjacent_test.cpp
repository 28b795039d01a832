#include "vmalloc/adjacent.hpp"

#include "unit/vmalloc/memory.hpp"

#include <catch2/catch.hpp>

#include <sys/resource.h>

using namespace bsl;
using namespace test;

namespace
{

/// Wholly free neighbours, full of `byte` or untouched.
void make_neighbours(std::size_t nr, int byte)
{
    REQUIRE(grow_arenas(nr));
    std::vector<char*> blocks;
    for (std::size_t i = 0; i < nr; ++i)
        blocks.push_back(alloc_block(max_page_order));
    for (char* block : blocks) {
        if (byte != 0) {
            std::memset(block, byte, pageblock_size);
            free_dirty_block(block, max_page_order);
            continue;
        }
        mutex_guard guard(zone_normal.lock);
        zone_normal.free_block(block, max_page_order);
    }
}

/// Address space of this process, and the private writable part of it, as limits count them.
struct mapped
{
    std::size_t all = 0;
    std::size_t data = 0;
};

mapped mapped_bytes()
{
    mapped pages;
    std::FILE* file = std::fopen("/proc/self/statm", "r");
    const int n = std::fscanf(file, "%zu %*u %*u %*u %*u %zu", &pages.all, &pages.data);
    std::fclose(file);
    REQUIRE(n == 2);
    const auto unit = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return {pages.all * unit, pages.data * unit};
}

} // namespace

TEST_CASE("a run of adjacent pageblocks, and the free tail behind it")
{
    make_neighbours(4, 0xab);
    const std::size_t free_before = zone_normal.counts().nr_free;
    const std::size_t size = 9 * mib + 3 * bytes_per_page;
    char* p = alloc_adjacent(size, pageblock_size, true);
    REQUIRE(p != nullptr);
    CHECK(is_zero(p, size));
    CHECK(owner_of(p).block != nullptr);
    page& first = page_of(pageblock_of(p), p);
    CHECK(first.state == page_state::run);
    CHECK(first.nr_run_pages == size / bytes_per_page);
    CHECK(zone_normal.counts().nr_free == free_before - size / bytes_per_page);
    fill(p, size, 1);
    validate_everything();

    CHECK(alloc_adjacent(64 * mib, pageblock_size, false) == nullptr);
    CHECK(alloc_adjacent(5 * mib, 2 * pageblock_size, false) == nullptr);
    CHECK(free_adjacent(p) == vfree_result::freed);
    CHECK(free_adjacent(p) == vfree_result::already_free);
    CHECK(zone_normal.counts().nr_free == free_before);
    validate_everything();
}

TEST_CASE("without address space: the cache is given up, then the arenas serve")
{
    make_neighbours(4, 0);
    const int status = in_child([] {
        void* cached = vmalloc(20 * mib, 16, false);
        vfree(window_of(cached), cached);
        void* kept = vmalloc(12 * mib, 16, true);
        if (!limit_to(RLIMIT_AS, mapped_bytes().all + mib))
            return 1;
        // Larger than what is cached, and nothing new can be mapped besides it.
        char* p = static_cast<char*>(vmalloc(14 * mib, 16, true));
        if (p == nullptr || owner_of(p).window == nullptr || !is_zero(p, 14 * mib))
            return 2;
        if (counts_of_vmalloc().cached != 0)
            return 3;
        while (vmalloc(4 * mib + 1, 16, false) != nullptr && counts_of_vmalloc().in_place == 0) {
        }
        if (counts_of_vmalloc().in_place != 1)
            return 4;
        fill(p, 14 * mib, 1);
        // What is refused leaves all as it was.
        if (vrealloc(window_of(p), 4 * gib) != nullptr || !has_pattern(p, 14 * mib, 1))
            return 5;
        if (vmalloc(4 * gib, 16, false) != nullptr)
            return 6;
        vfree(window_of(p), p);
        vfree(window_of(kept), kept);
        release_windows();
        validate_everything();
        return 0;
    });
    CHECK(status == 0);
}

TEST_CASE("a limit on data is an error of malloc, not an end")
{
    const int status = in_child([] {
        char* p = static_cast<char*>(vmalloc(16 * mib, 16, false));
        fill(p, 16 * mib, 1);
        if (!limit_to(RLIMIT_DATA, mapped_bytes().data + 40 * mib))
            return 1;
        if (vmalloc(1 * gib, 16, false) != nullptr)
            return 2;
        if (vrealloc(window_of(p), 1 * gib) != nullptr || !has_pattern(p, 16 * mib, 1))
            return 3;
        char* grown = static_cast<char*>(vrealloc(window_of(p), 20 * mib));
        if (grown == nullptr || !has_pattern(grown, 16 * mib, 1))
            return 4;
        vfree(window_of(grown), grown);
        validate_everything();
        return 0;
    });
    CHECK(status == 0);
}
