#include "unit/buddy/own_zone.hpp"
#include "unit/memory.hpp"
#include "unit/params.hpp"

#include "arena/huge_pages.hpp"
#include "buddy/reclaim.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>

using namespace bsl;

namespace
{

/// Has the mapping of an address this flag in /proc/self/smaps?  (hg: huge pages, nh: none)
bool has_flag(const void* at, const std::string& flag)
{
    std::ifstream maps("/proc/self/smaps");
    bool is_here = false;
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t start = 0;
        std::uintptr_t end = 0;
        char dash = 0;
        std::istringstream head(line);
        if (head >> std::hex >> start >> dash >> end && dash == '-')
            is_here = start <= reinterpret_cast<std::uintptr_t>(at) &&
                      reinterpret_cast<std::uintptr_t>(at) < end;
        else if (is_here && line.rfind("VmFlags:", 0) == 0)
            return (line + ' ').find(' ' + flag + ' ') != std::string::npos;
    }
    return false;
}

bool kernel_has_huge_pages()
{
    return access("/sys/kernel/mm/transparent_hugepage", F_OK) == 0;
}

} // namespace

TEST_CASE("huge pages are asked for where slabs begin to fill a pageblock of a large heap")
{
    with_params restore;
    own_zone z;

    SECTION("not in a small one")
    {
        param.huge_pages_from = 64 * mib;
        pageblock& block = pageblock_of(z.alloc(0, migrate_type::slab));
        CHECK_FALSE(ask_for_huge_pages(block));
        CHECK(has_flag(block.start, "nh") == kernel_has_huge_pages());
    }
    SECTION("not for runs")
    {
        param.huge_pages_from = 0;
        pageblock& block = pageblock_of(z.alloc(0, migrate_type::run));
        CHECK_FALSE(ask_for_huge_pages(block));
    }
    SECTION("not where there is memory already")
    {
        param.huge_pages_from = SIZE_MAX;
        char* used = z.alloc(max_page_order, migrate_type::slab);
        z.free_dirty(used, pages_per_pageblock);
        param.huge_pages_from = 0;
        char* again = z.alloc(0, migrate_type::slab);
        REQUIRE(&pageblock_of(again) == &pageblock_of(used));
        CHECK_FALSE(ask_for_huge_pages(pageblock_of(again)));
    }
    SECTION("until single pages are given back")
    {
        param.huge_pages_from = 0;
        char* at = z.alloc(0, migrate_type::slab);
        pageblock& block = pageblock_of(at);
        CHECK(ask_for_huge_pages(block));
        CHECK(ask_for_huge_pages(block));
        CHECK(has_flag(at, "hg") == kernel_has_huge_pages());
        std::memset(at, 1, bytes_per_page);
        z.alloc(0, migrate_type::slab); // the block stays in use
        z.free_dirty(at, 1);
        CHECK(reclaim_pages(z.get(), false, 0) == bytes_per_page);
        CHECK(has_flag(at, "nh") == kernel_has_huge_pages());
        CHECK_FALSE(ask_for_huge_pages(block));
    }
}
