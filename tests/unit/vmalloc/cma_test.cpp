#include "vmalloc/cma.hpp"

#include "buddy/zone_table.hpp"
#include "unit/vmalloc/memory.hpp"
#include "vmalloc/exchange.hpp"
#include "vmalloc/lending.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

using namespace bsl;
using namespace test;

namespace
{

cma& declare(std::size_t size, unsigned order_per_bit = 0)
{
    cma_request request{};
    request.size = size;
    request.order_per_bit = order_per_bit;
    request.name = "test";
    cma* area = declare_contiguous(request);
    REQUIRE(area != nullptr);
    return *area;
}

zone& movable()
{
    return *zone_at(zone_number(0, zone_type::movable));
}

void validate_movable()
{
    mutex_guard guard(movable().lock);
    movable().validate();
}

char* alloc(cma& area, std::size_t count, unsigned order = 0)
{
    page* first = cma_alloc(area, count, order);
    return first == nullptr ? nullptr : page_address(*first);
}

/// A window whose frames are those of the area, as far as they reach; filled by its own addresses.
char* window_on(std::size_t size)
{
    char* p = static_cast<char*>(vmalloc(size, 16, false));
    REQUIRE(p != nullptr);
    for (std::size_t at = 0; at < size; at += sizeof(std::size_t))
        *reinterpret_cast<std::size_t*>(p + at) = at;
    return p;
}

bool is_as_written(const char* p, std::size_t size)
{
    for (std::size_t at = 0; at < size; at += sizeof(std::size_t)) {
        if (*reinterpret_cast<const std::size_t*>(p + at) != at)
            return false;
    }
    return true;
}

} // namespace

TEST_CASE("an area is resident, in one piece, and can be used as a whole and in parts")
{
    cma& area = declare(12 * mib);
    CHECK(resident_pages(area.start, 12 * mib) == 12 * mib / bytes_per_page);
    char* whole = alloc(area, area.pages);
    REQUIRE(whole == area.start);
    std::memset(whole, 1, 12 * mib);
    CHECK(cma_alloc(area, 1, 0) == nullptr);
    // A part of it comes back, and can be had again.
    CHECK(cma_release(area, whole + 5 * mib, mib / bytes_per_page) == cma_release_result::released);
    CHECK(alloc(area, mib / bytes_per_page + 1) == nullptr);
    CHECK(alloc(area, mib / bytes_per_page) == whole + 5 * mib);
    CHECK(cma_release(area, whole, area.pages) == cma_release_result::released);
    CHECK(area.nr_used == 0);
    CHECK(movable().counts().nr_free == area.pages);
    validate_movable();
}

TEST_CASE("pages are aligned as asked for, and counted in units")
{
    cma& area = declare(8 * mib, 2);
    char* one = alloc(area, 1);
    CHECK(one == area.start);
    CHECK(area.nr_used == 4);
    char* aligned = alloc(area, 3, 6);
    CHECK(address_to_pfn(aligned) % 64 == 0);
    CHECK(aligned == area.start + 64 * bytes_per_page);
    CHECK(cma_release(area, aligned, 3) == cma_release_result::released);
    CHECK(cma_release(area, one, 1) == cma_release_result::released);
    CHECK(area.nr_used == 0);
    validate_movable();
}

TEST_CASE("what is not in use, or not of this area, cannot be released")
{
    cma& area = declare(4 * mib);
    cma& other = declare(4 * mib);
    char* p = alloc(area, 10);
    CHECK(cma_release(other, p, 10) == cma_release_result::not_here);
    CHECK(cma_release(area, p, 11) == cma_release_result::not_used);
    CHECK(cma_release(area, p, 10) == cma_release_result::released);
    CHECK(cma_release(area, p, 10) == cma_release_result::not_used);
    CHECK(cma_release(area, area.start, area.pages + 1) == cma_release_result::not_here);
    validate_movable();
}

TEST_CASE("frames of an idle area are under a window, and malloc's zone does not get them")
{
    REQUIRE(can_lend());
    cma& area = declare(16 * mib);
    char* p = window_on(16 * mib);
    CHECK(window_of(p).lent_end == 16 * mib);
    CHECK(resident_pages(area.start, 16 * mib) == 0);
    vfree(window_of(p), p);
    release_windows();
    CHECK(resident_pages(area.start, 16 * mib) == 16 * mib / bytes_per_page);
    CHECK(movable().counts().nr_free == area.pages);
    validate_movable();
    validate_everything();
}

TEST_CASE("frames under a cached window come home when they are called for")
{
    cma& area = declare(16 * mib);
    char* p = window_on(16 * mib);
    vfree(window_of(p), p);
    REQUIRE(counts_of_vmalloc().cached == 1);
    char* whole = alloc(area, area.pages);
    REQUIRE(whole == area.start);
    CHECK(resident_pages(whole, 16 * mib) == 16 * mib / bytes_per_page);
    CHECK(counts_of_vmalloc().cached == 0);
    cma_release(area, whole, area.pages);
    validate_movable();
}

TEST_CASE("a window in use keeps its address and its contents when its frames are called home")
{
    cma& area = declare(16 * mib);
    char* p = window_on(16 * mib);
    REQUIRE(resident_pages(area.start, 16 * mib) == 0);

    // A part first: the block around it comes home, the others stay.
    char* part = alloc(area, 5);
    REQUIRE(part != nullptr);
    std::memset(part, 0xff, 5 * bytes_per_page);
    CHECK(is_as_written(p, 16 * mib));
    CHECK(resident_pages(area.start, 16 * mib) < 16 * mib / bytes_per_page);
    validate_everything();
    validate_movable();

    REQUIRE(cma_release(area, part, 5) == cma_release_result::released);
    char* whole = alloc(area, area.pages);
    REQUIRE(whole == area.start);
    CHECK(resident_pages(whole, 16 * mib) == 16 * mib / bytes_per_page);
    std::memset(whole, 0xee, 16 * mib);
    CHECK(is_as_written(p, 16 * mib));
    CHECK(resident_pages(p, 16 * mib) == 16 * mib / bytes_per_page);
    validate_everything();

    // The window's frames go to their new homes; the area's stay.
    vfree(window_of(p), p);
    release_windows();
    validate_everything();
    CHECK(static_cast<unsigned char>(whole[16 * mib - 1]) == 0xee);
    CHECK(cma_release(area, whole, area.pages) == cma_release_result::released);
    CHECK(movable().counts().nr_free == area.pages);
    validate_movable();
}

TEST_CASE("free memory of malloc's serves the area: no frame is asked of the system")
{
    cma& area = declare(8 * mib);
    char* p = window_on(8 * mib);
    const std::vector<char*> homes = make_resident(2, 0xab);
    char* whole = alloc(area, area.pages);
    REQUIRE(whole != nullptr);
    CHECK(static_cast<unsigned char>(whole[0]) == 0xab);
    CHECK(static_cast<unsigned char>(whole[8 * mib - 1]) == 0xab);
    for (char* home : homes)
        CHECK(resident_pages(home, pageblock_size) == 0);
    CHECK(is_as_written(p, 8 * mib));
    vfree(window_of(p), p);
    release_windows();
    for (char* home : homes)
        CHECK(resident_pages(home, pageblock_size) == pageblock_size / bytes_per_page);
    cma_release(area, whole, area.pages);
    validate_everything();
}

TEST_CASE("windows are written, resized and freed while their frames are called home")
{
    cma& area = declare(16 * mib);
    std::atomic<bool> done{false};
    std::atomic<unsigned> rounds{0};
    std::thread user([&] {
        for (unsigned i = 0; !done; ++i) {
            std::size_t size = 8 * mib;
            char* p = static_cast<char*>(vmalloc(size, 16, false));
            if (p == nullptr)
                std::abort();
            for (std::size_t at = 0; at < size; at += bytes_per_page)
                p[at] = static_cast<char>(i + at / bytes_per_page);
            if (i % 3 == 0) {
                size = i % 2 == 0 ? 12 * mib : 5 * mib;
                p = static_cast<char*>(vrealloc(window_of(p), size));
                if (p == nullptr)
                    std::abort();
            }
            for (std::size_t at = 0; at < std::min(size, 8 * mib); at += bytes_per_page) {
                if (p[at] != static_cast<char>(i + at / bytes_per_page))
                    std::abort();
            }
            if (!is_freed(vfree(window_of(p), p)))
                std::abort();
            if (i % 4 == 0)
                release_windows();
            ++rounds;
        }
    });
    unsigned served = 0;
    for (unsigned i = 0; i < 60 || rounds < 30; ++i) {
        const std::size_t count = i % 2 == 0 ? area.pages / 4 : 300;
        char* p = alloc(area, count);
        if (p == nullptr)
            continue; // all of it may be between two places
        ++served;
        std::memset(p, 0x77, count * bytes_per_page);
        if (cma_release(area, p, count) != cma_release_result::released)
            std::abort();
    }
    done = true;
    user.join();
    CHECK(served > 0);
    release_windows();
    CHECK(area.nr_used == 0);
    CHECK(movable().counts().nr_free == area.pages);
    validate_movable();
    validate_everything();
}
