/*
 * What glibc adds to malloc: how much is at a pointer, how much there is at all, give memory back.
 *
 * Left to glibc, these functions would tell of its own heap, which is not in use.  Here the figures are
 * those of this heap, put into the words of glibc:
 *
 *     arena memory      arenas                      mmapped chunk    window
 *     chunk in use      object at its class's size  fast bin         sheaves
 *     free chunk        object free in its slab, free page
 *
 * mallopt() answers 1 only if the heap does what the parameter asks for; docs/compatibility.md has the
 * table.
 */
#include "base/format.hpp"
#include "config/params.hpp"
#include "heap/heap.hpp"
#include "host/console.hpp"
#include "proc/heap_totals.hpp"
#include "slab/size_class.hpp"

#include <cerrno>
#include <cstdio>
#include <malloc.h>
#include <unistd.h>

#define BSL_LIBC extern "C" [[gnu::visibility("default")]]

namespace
{

using bsl::heap_totals;
using std::size_t;

size_t free_bytes(const heap_totals& of)
{
    const size_t pages = of.nr_pages_free_resident + of.nr_pages_free_clean;
    return of.cached_bytes + of.free_bytes + (pages << bsl::page_shift);
}

/// What malloc_trim() could give back at most.
size_t trimmable_bytes(const heap_totals& of)
{
    return of.cached_bytes + of.cached_window_bytes +
           (of.nr_pages_free_resident << bsl::page_shift);
}

} // namespace

BSL_LIBC size_t malloc_usable_size(void* p) noexcept
{
    return bsl::heap::usable_size(p, "malloc_usable_size");
}

/// 1 if any memory was given back.
BSL_LIBC int malloc_trim(size_t pad) noexcept
{
    return bsl::heap::trim(pad) ? 1 : 0;
}

BSL_LIBC int mallopt(int parameter, int value) noexcept
{
    constexpr int print_and_abort = 3; // M_CHECK_ACTION: what misuse leads to, always
    switch (parameter) {
    case M_TRIM_THRESHOLD: {
        // As in glibc, -1 is the largest size: never trim.
        const auto bytes = static_cast<size_t>(value);
        bsl::param.dirty_max = bytes;
        bsl::param.dirty_large_max = bytes;
        return 1;
    }
    case M_ARENA_MAX:
    case M_ARENA_TEST:
        return value >= 1; // all threads share one heap: there are never more
    case M_CHECK_ACTION:
        return (value & print_and_abort) == print_and_abort;
    case M_PERTURB:
        return value == 0;
    default:
        return 0;
    }
}

BSL_LIBC struct mallinfo2 mallinfo2() noexcept
{
    const heap_totals now = bsl::totals_of_heap();
    struct mallinfo2 info
    {};
    info.arena = now.arena_bytes;
    info.ordblks = now.nr_free;
    info.smblks = now.nr_cached;
    info.hblks = now.nr_windows;
    info.hblkhd = now.live_window_bytes;
    info.fsmblks = now.cached_bytes;
    info.uordblks = now.object_bytes + now.run_bytes;
    info.fordblks = free_bytes(now);
    info.keepcost = trimmable_bytes(now);
    return info;
}

/// The old form: what is above 2 GiB does not fit, as in glibc.
BSL_LIBC struct mallinfo mallinfo() noexcept
{
    const struct mallinfo2 full = mallinfo2();
    struct mallinfo info
    {};
    info.arena = static_cast<int>(full.arena);
    info.ordblks = static_cast<int>(full.ordblks);
    info.smblks = static_cast<int>(full.smblks);
    info.hblks = static_cast<int>(full.hblks);
    info.hblkhd = static_cast<int>(full.hblkhd);
    info.fsmblks = static_cast<int>(full.fsmblks);
    info.uordblks = static_cast<int>(full.uordblks);
    info.fordblks = static_cast<int>(full.fordblks);
    info.keepcost = static_cast<int>(full.keepcost);
    return info;
}

BSL_LIBC void malloc_stats() noexcept
{
    const heap_totals now = bsl::totals_of_heap();
    bsl::format<1024> text;
    text.text("Arena 0:\nsystem bytes     = ").decimal(now.arena_bytes);
    text.text("\nin use bytes     = ").decimal(now.object_bytes + now.run_bytes);
    text.text("\nTotal (incl. mmap):\nsystem bytes     = ").decimal(now.mapped());
    text.text("\nin use bytes     = ").decimal(now.in_use());
    text.text("\nmmap regions     = ").decimal(now.nr_windows);
    text.text("\nmmap bytes       = ").decimal(now.live_window_bytes).text("\n");
    bsl::host::write_all(STDERR_FILENO, text.view());
}

namespace
{

/// Free objects by size, those of the program's caches among them; ranges are those of classes.
void print_sizes(FILE* to, const heap_totals& of)
{
    std::fputs("<sizes>\n", to);
    for (unsigned c = 1; c < bsl::nr_classes; ++c) {
        const bsl::kept_objects& kept = of.kept_of_size[c];
        if (kept.nr != 0)
            std::fprintf(to, "  <size from=\"%zu\" to=\"%zu\" total=\"%zu\" count=\"%zu\"/>\n",
                         bsl::class_size(c - 1) + 1, bsl::class_size(c), kept.bytes, kept.nr);
    }
    std::fputs("</sizes>\n", to);
}

void print_totals(FILE* to, const heap_totals& of)
{
    std::fprintf(to, "<total type=\"fast\" count=\"%zu\" size=\"%zu\"/>\n", of.nr_cached,
                 of.cached_bytes);
    std::fprintf(to, "<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n", of.nr_free,
                 free_bytes(of) - of.cached_bytes);
}

void print_system(FILE* to, size_t now, size_t most)
{
    std::fprintf(to,
                 "<system type=\"current\" size=\"%zu\"/>\n<system type=\"max\" size=\"%zu\"/>\n",
                 now, most);
    std::fprintf(
        to, "<aspace type=\"total\" size=\"%zu\"/>\n<aspace type=\"mprotect\" size=\"%zu\"/>\n",
        now, now);
}

} // namespace

/// Everything is summed up before the first character is written: the stream may allocate.
BSL_LIBC int malloc_info(int options, FILE* stream) noexcept
{
    if (options != 0)
        return EINVAL;
    const heap_totals now = bsl::totals_of_heap();
    std::fputs("<malloc version=\"1\">\n<heap nr=\"0\">\n", stream);
    print_sizes(stream, now);
    print_totals(stream, now);
    print_system(stream, now.arena_bytes, now.arena_bytes);
    std::fputs("</heap>\n", stream);
    print_totals(stream, now);
    std::fprintf(stream, "<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n", now.nr_windows,
                 now.live_window_bytes);
    print_system(stream, now.mapped(), now.peak_mapped);
    std::fputs("</malloc>\n", stream);
    return 0;
}
