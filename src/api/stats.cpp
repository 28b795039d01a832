#include <buddyslab/stats.h>

#include "heap/private_heap.hpp"
#include "host/console.hpp"
#include "proc/exit_report.hpp"
#include "proc/heap_totals.hpp"
#include "proc/own_report.hpp"

#include <cerrno>
#include <cstring>

namespace
{

/// The struct of version 0.1 ends with this member.
constexpr size_t first_version_size =
    offsetof(bsl_stats, heap_bytes) + sizeof(bsl_stats::heap_bytes);

static_assert(sizeof bsl_zone_stats::free_blocks == sizeof bsl::zone_totals::free_blocks);

bsl_stats to_stats(const bsl::heap_totals& heap)
{
    bsl_stats stats{};
    stats.mapped = heap.mapped();
    stats.mapped_peak = heap.peak_mapped;
    stats.returned = heap.returned_bytes;
    stats.returned_calls = heap.returned_calls;
    stats.in_use = heap.in_use();
    stats.in_use_peak = heap.peak_in_use;
    stats.nr_objects = heap.nr_objects;
    stats.nr_windows = heap.nr_windows;
    stats.window_bytes = heap.live_window_bytes;
    stats.cached = heap.cached_bytes;
    stats.slab_free = heap.free_bytes;
    stats.free_resident = heap.nr_pages_free_resident << bsl::page_shift;
    stats.cached_windows = heap.cached_window_bytes;
    const bsl::heap::heaps_totals heaps = bsl::heap::totals_of_private_heaps();
    stats.nr_heaps = heaps.nr;
    stats.heap_bytes = heaps.held;
    return stats;
}

} // namespace

int bsl_get_stats(struct bsl_stats* stats) noexcept
{
    const size_t size = stats->size;
    if (size < first_version_size)
        return -EINVAL;
    bsl_stats known = to_stats(bsl::totals_of_heap());
    known.size = size;
    std::memset(stats, 0, size);
    std::memcpy(stats, &known, size < sizeof known ? size : sizeof known);
    return 0;
}

int bsl_get_zone_stats(unsigned index, struct bsl_zone_stats* stats) noexcept
{
    const size_t size = stats->size;
    if (size < sizeof *stats)
        return -EINVAL;
    bsl::zone_totals zone{};
    if (!bsl::totals_of_zone(index, zone))
        return -ENOENT;
    bsl_zone_stats known{};
    known.size = size;
    known.node = bsl::node_of_zone(zone.number);
    known.name = bsl::name_of_zone(zone.number).data();
    known.mapped = zone.mapped;
    known.used = zone.used;
    known.free_resident = zone.free_resident;
    known.free_clean = zone.free_clean;
    std::memcpy(known.free_blocks, zone.free_blocks, sizeof known.free_blocks);
    std::memset(stats, 0, size);
    std::memcpy(stats, &known, sizeof known);
    return 0;
}

int bsl_stats_print(int fd, const char* format) noexcept
{
    if (format != nullptr && std::string_view(format) != "summary")
        return bsl::write_own_report(fd, format);
    bsl::report_text text;
    bsl::write_report(text);
    return bsl::host::write_all(fd, text.view());
}
