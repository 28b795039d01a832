/*
 * The kernel's files, byte for byte where somebody parses them.  What a column cannot mean here:
 *
 *     slabinfo       Slabs of one cache differ in size: objects and pages per slab are averages.  Active
 *                    objects are those the program has; those in sheaves count as free.
 *     vmallocinfo    A window that was freed and is kept is what the kernel calls "unpurged vm_area".  Where
 *                    there are several nodes, which one its pages are on is the kernel's secret: no N0=.
 *     zoneinfo       There is a pageset for each thread, where the kernel has one for each processor.  What
 *                    is kept for GFP_ATOMIC is not among the free pages, but in nr_reserve.
 *
 * Zones come as in the kernel's files: by node, from the lowest addresses on, and only those that there
 * are.
 */
#include "proc/report.hpp"

#include "buddy/watermark.hpp"

namespace bsl
{

namespace
{

constexpr std::string_view type_names[nr_migrate_types] = {"Slab", "Run", "None"};

std::size_t divide_rounded(std::size_t a, std::size_t b)
{
    return b == 0 ? 0 : (a + b / 2) / b;
}

std::size_t difference(std::size_t whole, std::size_t part)
{
    return whole > part ? whole - part : 0;
}

void print_slabs(stream& to, const cache_figures& c)
{
    const std::size_t per_slab = divide_rounded(c.nr_objects, c.nr_slabs);
    const std::size_t pages = divide_rounded(c.nr_pages, c.nr_slabs);
    to.left(c.name, 17).text(" ").decimal(c.nr_live(), 6).text(" ").decimal(c.nr_objects, 6);
    to.text(" ").decimal(c.size, 6).text(" ").decimal(per_slab == 0 ? 1 : per_slab, 4);
    to.text(" ").decimal(pages == 0 ? 1 : pages, 4);
    to.text(" : tunables ").decimal(0, 4).text(" ").decimal(0, 4).text(" ").decimal(0, 4);
    to.text(" : slabdata ").decimal(c.nr_active_slabs, 6).text(" ").decimal(c.nr_slabs, 6);
    to.text(" ").decimal(0, 6).text("\n");
}

void print_zone_head(stream& to, std::uint8_t number, std::size_t node_width = 0)
{
    to.text("Node ").decimal(node_of_zone(number), node_width).text(", zone ");
    to.right(name_of_zone(number), 8);
}

} // namespace

bool print_slabinfo(stream& to, const report_input& input)
{
    to.text("slabinfo - version: 2.1\n");
    to.text("# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : "
            "tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> "
            "<sharedavail>\n");
    for (const cache_figures& c : input.heap.caches) {
        if (c.size != 0)
            print_slabs(to, c);
    }
    return to.flush();
}

bool print_buddyinfo(stream& to, const report_input& input)
{
    for_each_zone_of(input.heap, [&to](std::uint8_t number, const zone_figures& zone) {
        print_zone_head(to, number);
        to.text(" ");
        for (unsigned order = 0; order < nr_page_orders; ++order)
            to.decimal(zone.nr_free_blocks(order), 6).text(" ");
        to.text("\n");
    });
    return to.flush();
}

bool print_pagetypeinfo(stream& to, const report_input& input)
{
    to.text("Page block order: ").decimal(max_page_order);
    to.text("\nPages per block:  ").decimal(pages_per_pageblock).text("\n\n");
    to.left("Free pages count per migrate type at order", 43).text(" ");
    for (unsigned order = 0; order < nr_page_orders; ++order)
        to.decimal(order, 6).text(" ");
    to.text("\n");
    for_each_zone_of(input.heap, [&to](std::uint8_t number, const zone_figures& zone) {
        for (unsigned type = 0; type < nr_migrate_types; ++type) {
            print_zone_head(to, number, 4);
            to.text(", type ").right(type_names[type], 12).text(" ");
            for (unsigned order = 0; order < nr_page_orders; ++order)
                to.decimal(zone.nr_free_blocks(static_cast<migrate_type>(type), order), 6)
                    .text(" ");
            to.text("\n");
        }
    });
    to.text("\n").left("Number of blocks type ", 23);
    for (const std::string_view name : type_names)
        to.right(name, 12).text(" ");
    to.text("\n");
    for_each_zone_of(input.heap, [&to](std::uint8_t number, const zone_figures& zone) {
        print_zone_head(to, number);
        to.text(" ");
        for (const std::size_t n : zone.nr_blocks_of_type)
            to.decimal(n, 12).text(" ");
        to.text("\n");
    });
    return to.flush();
}

namespace
{

/// More than one.
bool has_nodes(const snapshot& heap)
{
    bool any = false;
    for_each_zone_of(heap, [&any](std::uint8_t number, const zone_figures&) {
        any = any || node_of_zone(number) != 0;
    });
    return any;
}

} // namespace

bool print_vmallocinfo(stream& to, const report_input& input)
{
    struct context
    {
        stream& out;
        bool has_nodes;
    } lines{to, has_nodes(input.heap)};
    visitor windows{};
    windows.context = &lines;
    windows.window = [](void* argument, std::uintptr_t, const vm_area& area) {
        auto& [out, has_nodes] = *static_cast<context*>(argument);
        const auto start = reinterpret_cast<std::uintptr_t>(area.start);
        out.pointer(start).text("-").pointer(start + area.reserved).text(" ");
        out.decimal(area.reserved, 7);
        if (area.state == vm_area_state::cached) {
            out.text(" unpurged vm_area\n");
            return;
        }
        out.text(" malloc pages=").decimal(area.size >> page_shift).text(" vmalloc");
        if (!has_nodes)
            out.text(" N0=").decimal(area.size >> page_shift);
        out.text("\n");
    };
    return walk(input.from, input.root, input.space, input.space.again, windows) && to.flush();
}

namespace
{

void print_zone_pages(stream& to, std::uint8_t number, const zone_figures& zone)
{
    const auto line = [&to](std::string_view name, std::size_t value) {
        to.text("\n        ").left(name, 8).text(" ").decimal(value);
    };
    const bool is_contiguous = type_of_zone(number) == zone_type::movable;
    const std::size_t managed = zone.nr_online * pages_per_pageblock;
    to.text("\n  pages free     ").decimal(zone.nr_free_pages());
    line("boost", 0);
    const watermarks marks = watermarks_for(type_of_zone(number), managed);
    line("min", marks.min);
    line("low", marks.low);
    line("high", marks.high);
    line("spanned", zone.nr_blocks * pages_per_pageblock);
    line("present", (zone.nr_blocks - zone.nr_given_back) * pages_per_pageblock);
    line("managed", managed);
    line("cma", is_contiguous ? managed : 0);
    to.text("\n        protection: (0)");
    const auto count = [&to](std::string_view name, std::size_t value) {
        to.text("\n      ").left(name, 12).text(" ").decimal(value);
    };
    count("nr_free_pages", zone.nr_free_pages());
    count("nr_free_resident", zone.nr_free_resident);
    count("nr_free_clean", zone.nr_free_clean);
    count("nr_free_cma", is_contiguous ? zone.nr_free_pages() : 0);
    count("nr_reserve", zone.nr_reserve_pages);
    count("nr_used_peak", zone.counts.nr_used_peak);
    count("nr_taken_again", zone.counts.nr_taken_again);
    count("nr_splits", zone.counts.nr_splits);
}

/// Of the threads that keep pages of this zone: each keeps those of one.
bool print_pagesets(stream& to, const report_input& input, std::uint8_t number)
{
    struct context
    {
        stream& out;
        std::uintptr_t zone;
        unsigned nr;
    } threads{to, input.space.zones[number], 0};
    visitor seen{};
    seen.context = &threads;
    seen.thread = [](void* argument, std::uintptr_t, const thread_heap& copy, std::size_t held) {
        auto& mine = *static_cast<context*>(argument);
        if (address_of(look::home(look::pages_of(copy))) != mine.zone)
            return;
        mine.out.text("\n    cpu: ").decimal(mine.nr++).text("\n              count: ");
        mine.out.decimal(held).text("\n              high:  ");
        mine.out.decimal(nr_pageset_orders * pageset_order_bytes_max >> page_shift);
        mine.out.text("\n              batch: ").decimal(look::batch(look::pages_of(copy), 0));
    };
    return walk(input.from, input.root, input.space, input.space.again, seen);
}

} // namespace

bool print_zoneinfo(stream& to, const report_input& input)
{
    bool walked = true;
    for_each_zone_of(input.heap, [&](std::uint8_t number, const zone_figures& zone) {
        print_zone_head(to, number);
        print_zone_pages(to, number, zone);
        to.text("\n  pagesets");
        walked = print_pagesets(to, input, number) && walked;
        to.text("\n  node_unreclaimable:  0\n  start_pfn:           ");
        to.decimal(zone.first_address >> page_shift).text("\n");
    });
    return walked && to.flush();
}

namespace
{

/// Sums over the nodes.
void add_of_type(const snapshot& heap, zone_type type, std::size_t& total, std::size_t& free)
{
    for_each_zone_of(heap, [&](std::uint8_t number, const zone_figures& zone) {
        if (type_of_zone(number) != type)
            return;
        total += zone.mapped();
        free += zone.nr_free_pages() << page_shift;
    });
}

} // namespace

bool print_meminfo(stream& to, const report_input& input)
{
    const books sum = input.heap.balance();
    std::size_t slabs = 0;
    std::size_t own = 0;
    for (const cache_figures& c : input.heap.caches)
        (c.is_own ? own : slabs) += c.nr_resident << page_shift;
    const auto line = [&to](std::string_view name, std::size_t bytes) {
        to.left(name, 15).text(" ").decimal(bytes / kib, 8).text(" kB\n");
    };
    line("MemTotal:", sum.mapped);
    line("MemFree:", sum.free_pages + sum.returned);
    line("MemAvailable:",
         sum.free_pages + sum.returned + sum.cached + sum.slab_free + sum.cached_windows);
    line("Buffers:", 0);
    line("Cached:", sum.cached + sum.cached_windows);
    line("SwapCached:", 0);
    line("Active:", sum.live + sum.live_windows);
    line("Inactive:", sum.cached + sum.slab_free + sum.free_pages + sum.cached_windows);
    line("Slab:", slabs + own);
    line("SReclaimable:", sum.cached + sum.slab_free);
    line("SUnreclaim:", difference(slabs + own, sum.cached + sum.slab_free));
    line("PageTables:", input.heap.table_bytes);
    line("VmallocTotal:", input.heap.reserved_bytes);
    line("VmallocUsed:", sum.live_windows);
    line("VmallocChunk:", 0);
    std::size_t contiguous = 0, contiguous_free = 0, low = 0, low_free = 0;
    add_of_type(input.heap, zone_type::movable, contiguous, contiguous_free);
    add_of_type(input.heap, zone_type::dma32, low, low_free);
    line("CmaTotal:", contiguous);
    line("CmaFree:", contiguous_free);
    line("Bsl_dma32:", low);
    line("Bsl_dma32_free:", low_free);
    for (const books_part& part : parts_of_books) {
        format<32> name;
        line(name.text("Bsl_").text(part.name).text(":").view(), sum.*part.bytes);
    }
    return to.flush();
}

} // namespace bsl
