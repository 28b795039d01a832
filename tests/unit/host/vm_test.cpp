#include "unit/memory.hpp"

#include "host/vm.hpp"

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <linux/mempolicy.h>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>

using namespace bsl;

namespace
{

constexpr std::size_t size = 16 * 4096;

bool is_zero(const char* at)
{
    for (std::size_t i = 0; i < size; ++i) {
        if (at[i] != 0)
            return false;
    }
    return true;
}

} // namespace

TEST_CASE("mapped memory is zero, and resident when touched")
{
    auto* at = static_cast<char*>(host::map(nullptr, size));
    REQUIRE(at != nullptr);
    CHECK(resident_pages(at, size) == 0);
    at[0] = 1;
    CHECK(resident_pages(at, size) == 1);
    at[0] = 0;
    CHECK(is_zero(at));
    CHECK(host::unmap(at, size));
    CHECK_FALSE(is_mapped(at));
}

TEST_CASE("a hint is taken where nothing is, and replaces nothing")
{
    auto* at = static_cast<char*>(host::map(nullptr, 2 * size));
    REQUIRE(host::unmap(at + size, size));
    CHECK(host::map(at + size, size) == at + size);
    at[0] = 7;
    void* elsewhere = host::map(at, size);
    CHECK(elsewhere != nullptr);
    CHECK(elsewhere != at);
    CHECK(at[0] == 7);
    host::unmap(elsewhere, size);
    host::unmap(at, 2 * size);
}

TEST_CASE("reserved addresses become memory when committed")
{
    auto* at = static_cast<char*>(host::reserve(nullptr, size));
    REQUIRE(at != nullptr);
    REQUIRE(host::commit(at, size));
    std::memset(at, 1, size);
    REQUIRE(host::unmap_and_reserve(at, size));
    CHECK(is_mapped(at));
    CHECK(resident_pages(at, size) == 0);
    REQUIRE(host::map_over(at, size));
    CHECK(is_zero(at));
    host::unmap(at, size);
}

TEST_CASE("zeros can be read at no cost")
{
    auto* at = static_cast<char*>(host::map_zeros(size));
    REQUIRE(at != nullptr);
    CHECK(is_zero(at));
    REQUIRE(host::commit(at, size));
    at[5] = 5;
    CHECK(at[5] == 5);
    host::unmap(at, size);
}

TEST_CASE("discarded memory is given back and reads as zeros")
{
    auto* at = static_cast<char*>(host::map(nullptr, size));
    std::memset(at, 1, size);
    REQUIRE(resident_pages(at, size) == size / 4096);
    REQUIRE(host::discard(at + size / 2, size / 2));
    CHECK(resident_pages(at, size) == size / 4096 / 2);
    CHECK(at[size / 2 - 1] == 1);
    CHECK(at[size / 2] == 0);
    host::unmap(at, size);
}

TEST_CASE("the kernel tells of each page whether it is resident, or refuses")
{
    auto* at = static_cast<char*>(host::map(nullptr, size));
    unsigned char residency[size / 4096];
    at[4096] = 1;
    REQUIRE(host::ask_residency(at, size, residency));
    CHECK(residency[0] == 0);
    CHECK(residency[1] == 1);
    CHECK(residency[2] == 0);
    host::unmap(at, size);
    errno = 0;
    CHECK_FALSE(host::ask_residency(at, size, residency));
    CHECK(errno == 0);
}

TEST_CASE("populated memory is resident")
{
    auto* at = static_cast<char*>(host::map(nullptr, size));
    if (host::populate(at, size)) // Linux 5.14
        CHECK(resident_pages(at, size) == size / 4096);
    host::unmap(at, size);
}

TEST_CASE("frames can be moved, with and without their mapping")
{
    auto* from = static_cast<char*>(host::map(nullptr, size));
    auto* to = static_cast<char*>(host::reserve(nullptr, size));
    std::memset(from, 9, size);
    if (host::move_frames(from, to, size)) { // Linux 5.7
        CHECK(to[size - 1] == 9);
        CHECK(resident_pages(to, size) == size / 4096);
        CHECK(resident_pages(from, size) == 0);
        CHECK(is_zero(from));
        REQUIRE(host::move_frames(to, from, size));
    }
    REQUIRE(host::unmap_and_reserve(to, size));
    REQUIRE(host::move_mapping(from, to, size));
    CHECK(to[0] == 9);
    CHECK_FALSE(is_mapped(from));
    host::unmap(to, size);
}

TEST_CASE("what the program has divided is not one mapping any more")
{
    const std::size_t unit = host::page_size();
    auto* p = static_cast<char*>(host::reserve(nullptr, 8 * unit));
    REQUIRE(host::commit(p, 8 * unit));
    std::memset(p, 1, 8 * unit);
    CHECK(host::is_one_mapping(p, 4 * unit));
    CHECK(host::is_one_mapping(p, 8 * unit));
    CHECK(host::is_one_mapping(p + 4 * unit, 4 * unit));
    REQUIRE(madvise(p + 7 * unit, unit, MADV_DONTFORK) == 0);
    CHECK(host::is_one_mapping(p, 7 * unit));
    CHECK_FALSE(host::is_one_mapping(p, 8 * unit));
    CHECK(host::is_one_mapping(p + 7 * unit, unit));
    CHECK(p[0] == 1);
    CHECK(p[8 * unit - 1] == 1);
    host::unmap(p, 8 * unit);
}

TEST_CASE("an inquiry leaves what lies behind a mapping as it is")
{
    const std::size_t unit = host::page_size();
    auto* p = static_cast<char*>(host::map(nullptr, 2 * unit));
    REQUIRE(host::unmap(p + unit, unit)); // free: the mapping could grow
    CHECK(host::is_one_mapping(p, unit));
    CHECK(host::map(p + unit, unit) == p + unit);
    host::unmap(p, 2 * unit);
}

TEST_CASE("the kernel knows whether there is one memory node, as its files do")
{
    std::ifstream file("/sys/devices/system/node/has_memory");
    std::string nodes;
    std::getline(file, nodes);
    unsigned long allowed[16] = {};
    if (syscall(SYS_get_mempolicy, nullptr, allowed, 1024, nullptr, MPOL_F_MEMS_ALLOWED) != 0)
        CHECK_FALSE(host::is_confined_to_one_node()); // it does not tell
    else if (!nodes.empty() && nodes.find_first_of("-,") == std::string::npos)
        CHECK(host::is_confined_to_one_node());
    else
        WARN("several memory nodes, or nobody tells: what is allowed depends on the cpuset");
}

TEST_CASE("refusals leave errno alone")
{
    errno = 4711;
    CHECK(host::map(nullptr, std::size_t{1} << 60) == nullptr);
    CHECK_FALSE(host::discard(reinterpret_cast<void*>(1), size));
    CHECK_FALSE(host::commit(nullptr, size));
    CHECK(errno == 4711);
}

TEST_CASE("several ranges are discarded at once, each or from the first that is refused")
{
    auto* at = static_cast<char*>(host::map(nullptr, size));
    REQUIRE(at != nullptr);
    const std::size_t page = host::page_size();
    std::memset(at, 1, size);
    const host::range ranges[] = {{at, page}, {at + 2 * page, page}};
    errno = 0;
    const host::discarded done = host::discard_each(ranges, 2);
    CHECK(errno == 0);
    CHECK(done.ranges == 2);
    CHECK((done.calls == 1 || done.calls == 2 || done.calls == 3));
    CHECK((at[0] == 0 && at[page] == 1 && at[2 * page] == 0 && at[3 * page] == 1));

    CHECK(host::discard_each(ranges, 0).ranges == 0);
    char unaligned = 1;
    const host::range refused[] = {{at + page, page}, {&unaligned, 1}, {at + 3 * page, page}};
    CHECK(host::discard_each(refused, 3).ranges == 1);
    CHECK((at[page] == 0 && at[3 * page] == 1));
    CHECK(host::unmap(at, size));
}
