#include "vmalloc/window_lists.hpp"

#include "unit/vmalloc/memory.hpp"
#include "vmalloc/lending.hpp"

#include <catch2/catch.hpp>

#include <cerrno>
#include <cstddef>
#include <iterator>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

using namespace bsl;
using namespace test;

namespace
{

/// A window with memory in every page.
char* written_window(std::size_t size)
{
    char* p = static_cast<char*>(vmalloc(size, 16, false));
    REQUIRE(p != nullptr);
    std::memset(p, 0x5a, size);
    return p;
}

void free_window(char* p)
{
    REQUIRE(is_freed(vfree(window_of(p), p)));
}

void leave_nothing()
{
    validate_everything();
    release_windows();
    CHECK(counts_of_vmalloc().cached_bytes == 0);
    CHECK(counts_of_vmalloc().vmas == 0);
}

} // namespace

namespace
{

/// Three windows that are more than window_cache together: made, and freed.  Bytes that are cached then.
std::size_t cached_of_three()
{
    char* windows[3];
    for (char*& each : windows)
        REQUIRE((each = static_cast<char*>(vmalloc(40 * mib, 16, false))) != nullptr);
    for (char* each : windows)
        free_window(each);
    return counts_of_vmalloc().cached_bytes;
}

} // namespace

TEST_CASE("what left the cache and is faulted in again raises its bound, as long as it is reached")
{
    REQUIRE(param.window_cache == 64 * mib);
    char* const lasting = static_cast<char*>(vmalloc(200 * mib, 16, false));
    CHECK(cached_of_three() == 40 * mib);
    CHECK(cached_of_three() == 120 * mib); // 80 were missing
    age_windows();
    CHECK(cached_of_three() ==
          120 * mib); // the bound was reached in that interval, not in the next
    age_windows();
    CHECK(cached_of_three() == 80 * mib);

    // An interval later what was evicted was rightly so.
    for (int i = 0; i < 8; ++i)
        age_windows();
    CHECK(cached_of_three() == 40 * mib);
    age_windows();
    CHECK(cached_of_three() == 40 * mib);
    free_window(lasting);
    leave_nothing();
}

TEST_CASE("a cached window with more frames than it is asked for lacks nothing")
{
    REQUIRE(can_lend());
    char* const lasting[] = {static_cast<char*>(vmalloc(40 * mib, 16, false)),
                             static_cast<char*>(vmalloc(40 * mib, 16, false))};
    make_resident(5, 0xab);
    char* const lent = static_cast<char*>(vmalloc(20 * mib, 16, false));
    REQUIRE(window_of(lent).lent_end == 20 * mib);
    REQUIRE(vrealloc(window_of(lent), 6 * mib) == lent);
    CHECK(cached_of_three() == 40 * mib); // 80 were evicted
    release_windows();
    free_window(lent);
    CHECK((vmalloc(7 * mib, 16, false) == lent));
    for (char* each : lasting)
        free_window(each);
    CHECK(counts_of_vmalloc().cached_bytes == 40 * mib);
    free_window(lent);
    leave_nothing();
}

TEST_CASE("the cache's bound rises by half of the most that was live, and learns nothing from "
          "larger windows")
{
    for (int i = 0; i < 3; ++i) {
        char* const larger = static_cast<char*>(vmalloc(400 * mib, 16, false));
        free_window(larger);
        CHECK(owner_of(larger).window == nullptr);
        CHECK(cached_of_three() == 40 * mib);
        release_windows();
        age_windows();
    }
    for (int i = 0; i < 4; ++i) {
        char* windows[10];
        for (char*& each : windows)
            each = static_cast<char*>(vmalloc(60 * mib, 16, false));
        for (char* each : windows)
            free_window(each);
    }
    CHECK(counts_of_vmalloc().peak_live_bytes == 600 * mib);
    CHECK(counts_of_vmalloc().cached_bytes == 360 * mib); // of 364
    leave_nothing();
}

TEST_CASE("a request larger than any cached window gets the frames of several")
{
    char* const windows[] = {written_window(7 * mib), written_window(8 * mib),
                             written_window(5 * mib)};
    for (char* p : windows)
        free_window(p);
    const std::size_t made = counts_of_vmalloc().made;

    char* p = static_cast<char*>(vmalloc(24 * mib, 16, false));
    CHECK(counts_of_vmalloc().made == made);
    CHECK(counts_of_vmalloc().cached == 0);
    CHECK(resident_pages(p, 24 * mib) == 20 * mib / bytes_per_page);
    CHECK(count_vmas(p, p + 24 * mib) <= nr_vmas(window_of(p)));
    validate_everything();

    // It is a window like any other: keeps what is written, grows, moves, shrinks.
    fill(p, 24 * mib, 1);
    CHECK(has_pattern(p, 24 * mib, 1));
    p = static_cast<char*>(vrealloc(window_of(p), 200 * mib));
    REQUIRE(p != nullptr);
    CHECK(has_pattern(p, 24 * mib, 1));
    CHECK(is_zero(p + 24 * mib, 176 * mib));
    p = static_cast<char*>(vrealloc(window_of(p), 6 * mib));
    CHECK(has_pattern(p, 6 * mib, 1));
    validate_everything();
    free_window(p);
    leave_nothing();
}

TEST_CASE(
    "a request smaller than every cached window gets frames of one, which stays with the others")
{
    free_window(written_window(30 * mib));
    char* p = static_cast<char*>(vmalloc(10 * mib, 16, false));
    CHECK(resident_pages(p, 10 * mib) == 10 * mib / bytes_per_page);
    CHECK(counts_of_vmalloc().cached_bytes == 20 * mib);
    fill(p, 10 * mib, 1);
    validate_everything();

    // What the window has lost reads as zeros.
    char* rest = static_cast<char*>(vmalloc(30 * mib, 16, true));
    CHECK(counts_of_vmalloc().cached_bytes == 0);
    CHECK(resident_pages(rest, 30 * mib) == 20 * mib / bytes_per_page);
    CHECK(is_zero(rest, 30 * mib));
    CHECK(has_pattern(p, 10 * mib, 1));
    free_window(p);
    free_window(rest);
    leave_nothing();
}

TEST_CASE("who asks for zeros gets no frames of others: they might have to be cleared in vain")
{
    free_window(written_window(30 * mib));
    char* p = static_cast<char*>(vmalloc(10 * mib, 16, true));
    CHECK(resident_pages(p, 10 * mib) == 0);
    CHECK(counts_of_vmalloc().cached_bytes == 30 * mib);
    free_window(p);
    leave_nothing();
}

TEST_CASE("a piece that is not worth a system call is given back")
{
    char* const windows[] = {written_window(5 * mib), written_window(6 * mib),
                             written_window(12 * mib)};
    REQUIRE(vrealloc(window_of(windows[0]), 128 * kib) == windows[0]);
    REQUIRE(vrealloc(window_of(windows[1]), mib) == windows[1]);
    for (char* p : windows)
        free_window(p);
    char* const p = static_cast<char*>(vmalloc(6 * mib, 16, false));
    CHECK(resident_pages(p, 6 * mib) == 6 * mib / bytes_per_page);
    CHECK(counts_of_vmalloc().cached == 1);
    CHECK(counts_of_vmalloc().cached_bytes == 7 * mib);
    free_window(p);
    leave_nothing();
}

TEST_CASE("a window that the program has divided keeps its frames, and nothing is refused")
{
    char* const divided = written_window(20 * mib);
    REQUIRE(madvise(divided + 4 * mib, 12 * mib, MADV_DONTFORK) == 0);
    char* const other = written_window(21 * mib);
    free_window(divided);
    free_window(other);
    char* const p = static_cast<char*>(vmalloc(9 * mib, 16, false));
    CHECK(resident_pages(p, 9 * mib) == 9 * mib / bytes_per_page);
    CHECK(window_of(divided).size == 20 * mib);
    CHECK(counts_of_vmalloc().cached_bytes == 32 * mib);
    CHECK(can_lend());

    char* const again = static_cast<char*>(vmalloc(20 * mib, 16, false));
    CHECK((again == divided));
    CHECK(resident_pages(again, 20 * mib) == 20 * mib / bytes_per_page);
    free_window(p);
    free_window(again);
    leave_nothing();
}

/// From now on no frames leave a place that stays mapped.
bool refuse_moves()
{
    constexpr auto dont_unmap = 4u; // MREMAP_DONTUNMAP
    sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mremap, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[3])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, dont_unmap, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

TEST_CASE("where the system refuses to move frames, a request gets new memory all the same")
{
    const int status = in_child([] {
        if (!can_lend())
            return 1;
        char* const windows[] = {written_window(9 * mib), written_window(10 * mib),
                                 written_window(30 * mib)};
        for (char* p : windows)
            free_window(p);
        if (!refuse_moves())
            return 2;
        for (std::size_t size : {5 * mib, 20 * mib}) { // a new one, one made larger
            char* const p = static_cast<char*>(vmalloc(size, 16, false));
            if (p == nullptr || resident_pages(p, size) != 0)
                return 3;
            fill(p, size, 1);
            if (!has_pattern(p, size, 1))
                return 4;
            validate_everything();
            free_window(p);
        }
        for (int i = 0; i < 8; ++i) { // it was tried: who is refused so often gives up
            release_windows();
            free_window(written_window(30 * mib));
            free_window(static_cast<char*>(vmalloc(5 * mib, 16, false)));
        }
        release_windows();
        return can_lend() || counts_of_vmalloc().vmas != 0 ? 5 : 0;
    });
    CHECK(status == 0);
}
