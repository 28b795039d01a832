#include "unit/memory.hpp"

#include "host/clear.hpp"
#include "host/vm.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace bsl;

namespace
{

constexpr std::size_t page = 4096;
constexpr std::size_t size = 1030 * page; // more than are asked about at once

/// A range of which nothing is resident.
class fresh_range
{
public:
    fresh_range() : start_(static_cast<char*>(host::map(nullptr, size)))
    {
        REQUIRE(start_ != nullptr);
        host::advise_huge(start_, size, false);
    }
    ~fresh_range() { host::unmap(start_, size); }
    fresh_range(const fresh_range&) = delete;
    fresh_range& operator=(const fresh_range&) = delete;

    char* at(std::size_t offset) const { return start_ + offset; }
    void write(std::size_t first_page, std::size_t pages) const
    {
        std::memset(at(first_page * page), 1, pages * page);
    }
    std::size_t resident() const { return resident_pages(start_, size); }
    bool is_zero() const
    {
        return std::all_of(start_, start_ + size, [](char c) { return c == 0; });
    }

private:
    char* start_;
};

} // namespace

TEST_CASE("of a large range is written what is resident, and the rest stays away")
{
    const fresh_range range;
    host::clear(range.at(0), size);
    CHECK(range.resident() == 0);
    range.write(0, 1);
    range.write(100, 50);
    range.write(1020, 10);
    host::clear(range.at(0), size);
    CHECK(range.resident() == 61);
    CHECK(range.is_zero());
}

TEST_CASE("pages between resident ones are written if they are few")
{
    const fresh_range range;
    range.write(10, 1);
    range.write(14, 1); // three between
    range.write(19, 1); // four
    host::clear(range.at(0), size);
    CHECK(range.resident() == 6);
    CHECK(range.is_zero());
}

TEST_CASE("a range that begins and ends within pages is cleared to the byte")
{
    const fresh_range range;
    range.write(0, size / page);
    host::clear(range.at(100), size - 300);
    CHECK(*range.at(99) == 1);
    CHECK(*range.at(100) == 0);
    CHECK(*range.at(size - 201) == 0);
    CHECK(*range.at(size - 200) == 1);
    std::memset(range.at(0), 0, 100);
    std::memset(range.at(size - 200), 0, 200);
    CHECK(range.is_zero());
    range.write(0, size / page);
    host::clear(range.at(10), 1000); // too small for questions
    CHECK(*range.at(9) == 1);
    CHECK(*range.at(10) == 0);
    CHECK(*range.at(1009) == 0);
    CHECK(*range.at(1010) == 1);
}

TEST_CASE("what may not be discarded is written")
{
    const fresh_range range;
    // Locked when it is touched: not resident, and the kernel refuses to discard it.
    if (mlock2(range.at(0), size, MLOCK_ONFAULT) != 0) {
        WARN("locked memory is limited here");
        return;
    }
    range.write(7, 1);
    errno = 0;
    host::clear(range.at(0), size);
    CHECK(errno == 0);
    CHECK(range.resident() == size / page); // what is refused is written
    CHECK(range.is_zero());
}

TEST_CASE("where a filter of system calls is installed, all is written")
{
    const fresh_range range;
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        sock_filter allow_all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        const sock_fprog filter{1, &allow_all};
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
            _exit(2); // a kernel without
        host::clear(range.at(0), size);
        _exit(range.resident() == size / page ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    if (WEXITSTATUS(status) == 2)
        WARN("no filters of system calls here");
    else
        CHECK(WEXITSTATUS(status) == 0);
}
