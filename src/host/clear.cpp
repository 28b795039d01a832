/*
 * mincore() says of a page that it is not resident both where nothing was ever written and where the page
 * lies in swap, so what is not resident is discarded: of the former there is nothing to discard, and the
 * latter goes.  A page that comes or goes in between changes nothing: it reads as what it was.
 */
#include "host/clear.hpp"

#include "host/vm.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace bsl::host
{

namespace
{

/// A shorter run of pages is written: a page fault or two take no longer than a system call.
constexpr std::size_t discard_pages_min = 4;

/// Pages that are asked about at once.
constexpr std::size_t nr_asked_max = 1024;

/// Pages of the kernel that follow each other and are all resident, or all not.  They are cleared at once: writing zeros
/// to much memory is done in a faster way than to little.
struct run
{
    char* start;
    char* end;
    bool is_resident;
};

void clear_run(const run& run)
{
    const auto size = static_cast<std::size_t>(run.end - run.start);
    const bool is_short = size < discard_pages_min * page_size();
    if (run.is_resident || is_short || !discard(run.start, size))
        std::memset(run.start, 0, size);
}

/// Adds pages to the run that is not cleared yet, or begins another one.
void add_pages(run& last, std::size_t pages, bool are_resident)
{
    if (are_resident != last.is_resident) {
        clear_run(last);
        last = {last.end, last.end, are_resident};
    }
    last.end += pages * page_size();
}

/// Whole pages of the kernel.  Where those end that were cleared: all, or those before one that it tells nothing of.
char* clear_pages(char* start, std::size_t pages)
{
    unsigned char residency[nr_asked_max];
    run last{start, start, true};
    while (pages != 0) {
        const std::size_t n = std::min(pages, nr_asked_max);
        if (!ask_residency(start, n * page_size(), residency))
            break;
        for (std::size_t from = 0; from < n;) {
            const bool are_resident = residency[from] != 0;
            const void* other = std::memchr(residency + from, are_resident ? 0 : 1, n - from);
            const auto* to =
                other == nullptr ? residency + n : static_cast<const unsigned char*>(other);
            add_pages(last, static_cast<std::size_t>(to - residency) - from, are_resident);
            from = static_cast<std::size_t>(to - residency);
        }
        start += n * page_size();
        pages -= n;
    }
    clear_run(last);
    return last.end;
}

} // namespace

void clear(void* address, std::size_t size)
{
    char* at = static_cast<char*>(address);
    char* const end = at + size;
    if (size >= clear_by_page_min) {
        const std::size_t ragged = -reinterpret_cast<std::uintptr_t>(at) % page_size();
        std::memset(at, 0, ragged);
        at += ragged;
        at = clear_pages(at, static_cast<std::size_t>(end - at) / page_size());
    }
    std::memset(at, 0, static_cast<std::size_t>(end - at));
}

} // namespace bsl::host
