#include "vmalloc/vm_area.hpp"

#include "unit/vmalloc/memory.hpp"
#include "vmalloc/lending.hpp"

#include <catch2/catch.hpp>

#include <cerrno>
#include <cstdarg>
#include <sys/syscall.h>

using namespace bsl;
using namespace test;

namespace
{

struct mremap_call
{
    char* from;
    std::size_t old_size;
    std::size_t size;
    int flags;
    char* to; ///< nullptr: not fixed

    void* perform() const
    {
        return reinterpret_cast<void*>(syscall(SYS_mremap, from, old_size, size, flags, to));
    }
};

/// Answers calls of mremap, while there is one.
using answer_function = void*(const mremap_call&);
constinit answer_function* answer = nullptr;

class with_answer
{
public:
    explicit with_answer(answer_function* function) { answer = function; }
    ~with_answer() { answer = nullptr; }
};

constexpr int dont_unmap = 4; // MREMAP_DONTUNMAP

/// What another thread made of addresses that were free for a moment.
struct neighbour
{
    vm_area area;
    char* start;
    std::size_t size;
};
constinit neighbour other{};

/// Another thread maps addresses that the kernel has just unmapped.
void appear_at(char* start, std::size_t size)
{
    other.start = start;
    other.size = round_down(size, pageblock_size);
    syscall(SYS_mmap, start, other.size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    set_owner(start, other.size >> pageblock_shift, &other.area);
}

bool is_untouched()
{
    for (std::size_t at = 0; at < other.size; at += pageblock_size) {
        if (owner_of(other.start + at).window != &other.area ||
            count_vmas(other.start + at, other.start + at + 1) == 0)
            return false;
    }
    return other.size != 0;
}

/// Older kernels unmap the target before they refuse.
void* refuse_late(const mremap_call& call)
{
    if (call.to == nullptr)
        return call.perform();
    if (other.start == nullptr)
        appear_at(call.to, call.size);
    errno = ENOMEM;
    return MAP_FAILED;
}

} // namespace

extern "C" void* mremap(void* from, std::size_t old_size, std::size_t size, int flags, ...) noexcept
{
    va_list more;
    va_start(more, flags);
    void* const to = (flags & MREMAP_FIXED) != 0 ? va_arg(more, void*) : nullptr;
    va_end(more);
    const mremap_call call{static_cast<char*>(from), old_size, size, flags, static_cast<char*>(to)};
    return answer != nullptr ? answer(call) : call.perform();
}

TEST_CASE("addresses that a window leaves are another's from then on")
{
    char* const p = static_cast<char*>(vmalloc(20 * mib, 16, false));
    fill(p, 20 * mib, 1);
    char* moved = nullptr;
    {
        with_answer plain([](const mremap_call& call) {
            void* const result = call.perform();
            if (result != MAP_FAILED && call.to != nullptr && (call.flags & dont_unmap) == 0)
                appear_at(call.from, call.old_size);
            return result;
        });
        moved = static_cast<char*>(vrealloc(window_of(p), 200 * mib));
    }
    REQUIRE(moved != nullptr);
    CHECK((other.start == p));
    CHECK(is_untouched());
    CHECK(has_pattern(moved, 20 * mib, 1));
    validate_everything();
    vfree(window_of(moved), moved);
}

TEST_CASE("a window that does not move stays, and what it has lost of the target is another's")
{
    char* const p = static_cast<char*>(vmalloc(20 * mib, 16, false));
    fill(p, 20 * mib, 1);
    {
        with_answer late(refuse_late);
        CHECK(vrealloc(window_of(p), 200 * mib) == nullptr);
    }
    CHECK(is_untouched());
    CHECK(usable_size(window_of(p)) == 20 * mib);
    CHECK(has_pattern(p, 20 * mib, 1));
    validate_everything();
    vfree(window_of(p), p);
    release_windows();
    CHECK(owner_of(p).window == nullptr);
}

TEST_CASE("a run whose frames do not move stays, and the target is another's")
{
    REQUIRE(can_lend());
    char* const run = alloc_block(max_page_order);
    fill(run, pageblock_size, 1);
    {
        with_answer late(refuse_late);
        CHECK(vmalloc_from_run(run, pageblock_size, 12 * mib) == nullptr);
    }
    CHECK(is_untouched());
    CHECK(has_pattern(run, pageblock_size, 1));
    free_dirty_block(run, max_page_order);
    validate_everything();
}

TEST_CASE("where frames of a cached window do not move, the target is another's")
{
    REQUIRE(can_lend());
    char* const p = static_cast<char*>(vmalloc(30 * mib, 16, false));
    fill(p, 30 * mib, 1);
    vfree(window_of(p), p);
    char* fresh = nullptr;
    {
        with_answer late(refuse_late);
        fresh = static_cast<char*>(vmalloc(10 * mib, 16, false));
    }
    REQUIRE(fresh != nullptr);
    CHECK(is_untouched());
    fill(fresh, 10 * mib, 2);
    CHECK(has_pattern(fresh, 10 * mib, 2));
    validate_everything();
    vfree(window_of(fresh), fresh);
    release_windows();
}
