#include "vmalloc/lending.hpp"

#include "host/vm.hpp"
#include "unit/vmalloc/memory.hpp"

#include <catch2/catch.hpp>

using namespace bsl;
using namespace test;

namespace
{

/// Brings a descriptor into being, which takes a page for good.  And leaves a gap above all windows:
/// what others map meanwhile goes there, not into holes that a test makes.
void prepare()
{
    void* gap = host::reserve(nullptr, mib);
    void* p = vmalloc(8 * mib, 16, true);
    vfree(window_of(p), p);
    release_windows();
    host::unmap(gap, mib);
}

std::size_t count_arena_vmas()
{
    const arena_totals all = totals_of_arenas();
    return count_vmas(all.lowest, all.end);
}

std::size_t free_pages()
{
    return zone_normal.counts().nr_free;
}

} // namespace

TEST_CASE("a new window is filled with free resident blocks, whose home is empty meanwhile")
{
    REQUIRE(can_lend());
    prepare();
    const std::vector<char*> homes = make_resident(4, 0xab);
    const std::size_t free_before = free_pages();
    const std::size_t size = 14 * mib + 12 * kib; // the last block is lent in part

    char* p = static_cast<char*>(vmalloc(size, 16, false));
    vm_area& area = window_of(p);
    CHECK(counts_of_vmalloc().stitched == 1);
    CHECK(area.lent_end == size);
    CHECK(area.nr_lent == 4);
    CHECK(free_pages() == free_before - size / bytes_per_page);
    CHECK(resident_pages(p, size) == size / bytes_per_page);

    // What is written to the window does not show at home, which has no memory at all.
    std::memset(p, 0x11, size);
    std::size_t at_home = 0;
    for (char* home : homes)
        at_home += resident_pages(home, pageblock_size);
    CHECK(at_home == (4 * pageblock_size - size) / bytes_per_page);
    validate_everything();

    vfree(area, p);
    release_windows();
    CHECK(free_pages() == free_before);
    at_home = 0;
    for (char* home : homes)
        at_home += resident_pages(home, pageblock_size);
    CHECK(at_home == 4 * pages_per_pageblock);
    CHECK(zone_normal.counts().nr_dirty_large == 4 * pages_per_pageblock);
    validate_everything();
}

TEST_CASE("frames that are home again leave no VMA behind")
{
    prepare();
    make_resident(8, 0xab);
    const std::size_t before = count_arena_vmas();

    char* p = static_cast<char*>(vmalloc(40 * mib, 16, false));
    CHECK(counts_of_vmalloc().stitched == 1);
    CHECK(count_arena_vmas() == before);
    const std::size_t window_vmas = count_vmas(p, p + 40 * mib);
    CHECK(window_vmas > 1);
    CHECK(window_vmas <= nr_vmas(window_of(p)));

    // A fork in between must not keep them from merging.  (In the child they cannot: there, arena and
    // window have a history of their own.)
    CHECK(in_child([&] {
              vfree(window_of(p), p);
              release_windows();
              validate_everything();
              return count_arena_vmas() <= before + 2 * window_vmas ? 0 : 1;
          }) == 0);
    std::memset(p, 1, 40 * mib);
    vfree(window_of(p), p);
    release_windows();
    CHECK(count_arena_vmas() == before);
    CHECK(count_vmas(p, p + 40 * mib) == 0);
    validate_everything();
}

TEST_CASE("a window with frames from elsewhere grows and moves like any other")
{
    prepare();
    make_resident(3, 0xab);
    const std::size_t free_before = free_pages();
    char* p = static_cast<char*>(vmalloc(20 * mib, 16, false));
    REQUIRE(window_of(p).nr_lent == 3);
    fill(p, 20 * mib, 5);
    std::size_t size = 20 * mib;
    for (std::size_t next : {90 * mib, 400 * mib, 401 * mib}) {
        p = static_cast<char*>(vrealloc(window_of(p), next));
        REQUIRE(p != nullptr);
        CHECK(window_of(p).nr_lent == 3);
        REQUIRE(has_pattern(p, size, 5));
        fill(p + size, 1 * mib, 6);
        fill(p, size + mib, 5);
        size += mib;
        validate_everything();
    }
    CHECK(counts_of_vmalloc().moved == 2);
    p = static_cast<char*>(vrealloc(window_of(p), 2 * mib));
    CHECK(has_pattern(p, 2 * mib, 5));
    validate_everything();
    vfree(window_of(p), p);
    release_windows();
    validate_everything();
    CHECK(free_pages() == free_before);
}

TEST_CASE("used frames are cleared for those who ask for zeros, if they are many")
{
    prepare();
    make_resident(4, 0xab);
    for (std::size_t size : {16 * mib, 20 * mib, 40 * mib}) {
        char* p = static_cast<char*>(vmalloc(size, 16, true));
        CHECK(window_of(p).lent_end == (size > 32 * mib ? 0 : 16 * mib));
        CHECK(is_zero(p, size));
        std::memset(p, 0xab, size);
        vfree(window_of(p), p);
        release_windows();
    }
    validate_everything();
}

TEST_CASE("blocks that are hardly resident are not lent")
{
    std::vector<char*> blocks;
    for (int i = 0; i < 4; ++i)
        blocks.push_back(alloc_block(max_page_order));
    for (char* block : blocks) {
        block[0] = 1;
        pageblock_of(block).dirty.set(0, 400);
        mutex_guard guard(zone_normal.lock);
        zone_normal.free_block(block, max_page_order);
    }
    void* p = vmalloc(5 * mib, 16, false);
    CHECK(window_of(p).lent_end == 0);
    vfree(window_of(p), p);
    release_windows();
    validate_everything();
}

TEST_CASE("a run of pages becomes a window without being copied")
{
    const std::size_t pages = 600;
    char* block = alloc_block(max_page_order);
    char* run = block + 8 * bytes_per_page; // of a pageblock in use on both sides
    const std::size_t size = pages * bytes_per_page;
    fill(run, size, 9);
    fill(block, 8 * bytes_per_page, 1);
    char* behind = run + size;
    fill(behind, block + pageblock_size - behind, 2);

    char* p = static_cast<char*>(vmalloc_from_run(run, size, 6 * mib));
    REQUIRE(p != nullptr);
    CHECK(has_pattern(p, size, 9));
    CHECK(is_zero(p + size, 6 * mib - size));
    CHECK(resident_pages(run, size) == 0);
    CHECK(has_pattern(block, 8 * bytes_per_page, 1));
    CHECK(has_pattern(behind, block + pageblock_size - behind, 2));
    validate_everything();

    p = static_cast<char*>(vrealloc(window_of(p), 100 * mib));
    REQUIRE(p != nullptr);
    CHECK(has_pattern(p, size, 9));
    CHECK(counts_of_vmalloc().moved == 1);
    validate_everything();

    const std::size_t free_before = free_pages();
    vfree(window_of(p), p);
    release_windows();
    CHECK(free_pages() == free_before + pages);
    CHECK(resident_pages(run, size) == pages);
    CHECK(has_pattern(behind, block + pageblock_size - behind, 2));
    validate_everything();
}

namespace
{

constexpr std::size_t old_size = 300 * kib;

/// What an object of that size leaves when it grows to `size` bytes: a window with its contents.
char* grow_object(std::size_t size, std::uint64_t seed)
{
    char* run = nullptr;
    {
        mutex_guard guard(zone_normal.lock);
        run = zone_normal.alloc_run(old_size >> page_shift, run_fit::tight);
    }
    fill(run, old_size, seed);
    char* p = static_cast<char*>(vmalloc_from_run(run, old_size, size));
    REQUIRE(p != nullptr);
    CHECK(has_pattern(p, old_size, seed));
    CHECK(usable_size(window_of(p)) == size);
    fill(p, size, seed + 1);
    validate_everything();
    return p;
}

} // namespace

TEST_CASE(
    "the window of an object that has grown waits for the next one, without the object's frames")
{
    prepare();
    char* p = grow_object(mib, 1);
    const std::size_t free_before = free_pages();
    CHECK(is_freed(vfree(window_of(p), p)));
    CHECK(free_pages() == free_before + (old_size >> page_shift)); // at home
    CHECK(resident_pages(p, old_size) == 0);
    CHECK(resident_pages(p, mib) == (mib - old_size) >> page_shift);
    CHECK(counts_of_vmalloc().cached == 1);
    validate_everything();

    SECTION("it serves the next object, again and again")
    {
        for (std::uint64_t seed = 10; seed < 20; ++seed) {
            char* next = grow_object(400 * kib, seed);
            CHECK(next == p);
            CHECK(resident_pages(p, mib) == mib >> page_shift);
            next = static_cast<char*>(vrealloc(window_of(p), 700 * kib));
            CHECK(next == p);
            CHECK(has_pattern(p, 400 * kib, seed + 1));
            CHECK(is_freed(vfree(window_of(p), p)));
            CHECK(counts_of_vmalloc().cached_bytes == mib);
            validate_everything();
        }
    }
    SECTION("it serves a larger object, too")
    {
        char* next = grow_object(3 * mib, 10);
        CHECK(next == p);
        vfree(window_of(next), next);
    }
    SECTION("it does not serve one that would leave most of it unused")
    {
        char* next = grow_object(304 * kib, 10);
        CHECK(next == p);
        vfree(window_of(next), next);
        next = static_cast<char*>(vmalloc_from_run(alloc_block(0), bytes_per_page, 200 * kib));
        CHECK(next != p);
        vfree(window_of(next), next);
    }
    validate_everything();
    release_windows();
    CHECK(counts_of_vmalloc().vmas == 0);
}

TEST_CASE("what an object has left in its window is nobody's surprise")
{
    prepare();
    char* p = grow_object(mib, 1);
    vfree(window_of(p), p);

    SECTION("not where zeros are asked for")
    {
        char* next = grow_object(400 * kib, 10);
        CHECK(next == p);
        CHECK(is_freed(vfree(window_of(p), p)));
        char* zeros = static_cast<char*>(vmalloc(4200 * kib, 16, true));
        CHECK(is_zero(zeros, 4200 * kib));
        vfree(window_of(zeros), zeros);
    }
    SECTION("not in what shrinks")
    {
        char* next = grow_object(900 * kib, 10);
        CHECK(next == p);
        CHECK(vshrink(window_of(p), 400 * kib));
        CHECK(resident_pages(p, mib) == 400 * kib >> page_shift);
        CHECK(has_pattern(p, 400 * kib, 11));
        validate_everything();
        vfree(window_of(p), p);
    }
    SECTION("not in what grows to many times its size, and moves")
    {
        char* next = grow_object(400 * kib, 10);
        CHECK(next == p);
        next = static_cast<char*>(vrealloc(window_of(p), 100 * mib));
        REQUIRE(next != nullptr);
        CHECK(has_pattern(next, 400 * kib, 11));
        CHECK(is_zero(next + 400 * kib, 99 * mib));
        validate_everything();
        vfree(window_of(next), next);
    }
    validate_everything();
    release_windows();
    CHECK(counts_of_vmalloc().vmas == 0);
    validate_everything();
}

TEST_CASE("under a limit an object does not get a window that takes more than the object does")
{
    const int status = in_child([] {
        if (vmalloc_from_run(alloc_block(0), bytes_per_page, mib) == nullptr)
            return 1;
        if (!limit_to(RLIMIT_AS, std::size_t{1} << 45))
            return 2;
        return vmalloc_from_run(alloc_block(0), bytes_per_page, mib) == nullptr ? 0 : 3;
    });
    CHECK(status == 0);
}

/// The kernel moves nothing that starts with a hole.
void make_immovable(char* start)
{
    REQUIRE(munmap(start, bytes_per_page) == 0);
}

void make_movable(char* start)
{
    REQUIRE(host::map(start, bytes_per_page) == start);
}

TEST_CASE("a block whose frames cannot be moved stays, and the window is made all the same")
{
    prepare();
    for (unsigned nr_movable : {0u, 2u}) {
        const std::vector<char*> homes = make_resident(4, 0xab);
        const std::size_t free_before = free_pages();
        // What was freed first is lent first.
        for (std::size_t i = nr_movable; i < homes.size(); ++i)
            make_immovable(homes[i]);
        char* p = static_cast<char*>(vmalloc(16 * mib, 16, false));
        REQUIRE(p != nullptr);
        CHECK(window_of(p).lent_end == 0);
        CHECK(free_pages() == free_before);
        fill(p, 16 * mib, 4);
        CHECK(has_pattern(p, 16 * mib, 4));
        vfree(window_of(p), p);
        release_windows();
        validate_everything();
        for (std::size_t i = nr_movable; i < homes.size(); ++i)
            make_movable(homes[i]);
        for (char* home : homes)
            std::memset(home, 1, pageblock_size); // all of it is ours and accessible
    }
}

TEST_CASE("after some refusals nothing is lent any more")
{
    prepare();
    const std::vector<char*> homes = make_resident(4, 0xab);
    for (char* home : homes)
        make_immovable(home);
    for (int i = 0; i < 20; ++i) {
        void* p = vmalloc(16 * mib, 16, false);
        REQUIRE(p != nullptr);
        vfree(window_of(p), p);
        release_windows();
    }
    CHECK(!can_lend());
    CHECK(vmalloc_from_run(homes[0] + mib, mib, 8 * mib) == nullptr);
    void* p = vmalloc(16 * mib, 16, false);
    CHECK(p != nullptr);
    CHECK(is_freed(vfree(window_of(p), p)));
    for (char* home : homes)
        make_movable(home);
    validate_everything();
}

TEST_CASE("frames that cannot go home leave an accessible, empty home")
{
    prepare();
    const std::vector<char*> homes = make_resident(4, 0xab);
    const std::size_t free_before = free_pages();
    char* p = static_cast<char*>(vmalloc(16 * mib, 16, false));
    REQUIRE(window_of(p).nr_lent == 4);
    fill(p, 16 * mib, 4);
    make_immovable(p + 4 * mib);
    vfree(window_of(p), p);
    release_windows();
    validate_everything();
    std::size_t nr_clean = 0;
    for (char* home : homes) {
        if (pageblock_of(home).dirty.count(0, pages_per_pageblock) != 0)
            continue;
        ++nr_clean;
        CHECK(resident_pages(home, pageblock_size) == 0);
        std::memset(home, 1, pageblock_size);
    }
    CHECK(nr_clean == 1);
    CHECK(free_pages() == free_before);
}

TEST_CASE("frames of an object that has grown and that cannot go home leave an empty home, too")
{
    prepare();
    char* p = grow_object(mib, 1);
    char* const home = window_of(p).run;
    const std::size_t free_before = free_pages();
    make_immovable(p);
    CHECK(is_freed(vfree(window_of(p), p)));
    make_movable(p);
    CHECK(free_pages() == free_before + (old_size >> page_shift));
    CHECK(resident_pages(home, old_size) == 0);
    std::memset(home, 1, old_size);
    CHECK(resident_pages(p, old_size) == 0);
    CHECK(grow_object(400 * kib, 10) == p);
    vfree(window_of(p), p);
    release_windows();
    validate_everything();
}

TEST_CASE("a window one of whose pieces does not move stays where it is")
{
    prepare();
    make_resident(3, 0xab);
    char* p = static_cast<char*>(vmalloc(12 * mib, 16, false));
    REQUIRE(window_of(p).nr_lent == 3);
    fill(p, 12 * mib, 4);
    make_immovable(p + 8 * mib);
    CHECK(vrealloc(window_of(p), 200 * mib) == nullptr);
    CHECK(usable_size(window_of(p)) == 12 * mib);
    make_movable(p + 8 * mib);
    fill(p + 8 * mib, bytes_per_page, 0);
    CHECK(has_pattern(p, 8 * mib, 4));
    CHECK(resident_pages(p, 12 * mib) == 12 * mib / bytes_per_page);
    validate_everything();
    char* moved = static_cast<char*>(vrealloc(window_of(p), 200 * mib));
    REQUIRE(moved != nullptr);
    CHECK(has_pattern(moved, 8 * mib, 4));
    CHECK(is_freed(vfree(window_of(moved), moved)));
    release_windows();
    validate_everything();
}
