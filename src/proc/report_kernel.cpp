/*
 * The kernel's files, byte for byte where somebody parses them.  What a column cannot mean here:
 *
 *     slabinfo       Slabs of one cache differ in size: objects and pages per slab are averages.  Active
 *                    objects are those the program has; those in sheaves count as free.
 *     vmallocinfo    A window that was freed and is kept is what the kernel calls "unpurged vm_area".
 *     zoneinfo       There is a pageset for each thread, where the kernel has one for each processor.
 */
#include "proc/report.hpp"

namespace bsl
{

namespace
{

constexpr std::string_view zone_name = "Normal";
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

std::size_t blocks_of_order(const snapshot& heap, unsigned type, unsigned order)
{
    return heap.free_blocks[type][order][0] + heap.free_blocks[type][order][1];
}

void print_zone_head(stream& to, std::size_t node_width = 0)
{
    to.text("Node ").decimal(0, node_width).text(", zone ").right(zone_name, 8);
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
    print_zone_head(to);
    to.text(" ");
    for (unsigned order = 0; order < nr_page_orders; ++order) {
        std::size_t sum = 0;
        for (unsigned type = 0; type < nr_migrate_types; ++type)
            sum += blocks_of_order(input.heap, type, order);
        if (order == max_page_order) // pageblocks that were never in use are free as wholes
            sum += input.heap.nr_untouched;
        to.decimal(sum, 6).text(" ");
    }
    to.text("\n");
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
    for (unsigned type = 0; type < nr_migrate_types; ++type) {
        print_zone_head(to, 4);
        to.text(", type ").right(type_names[type], 12).text(" ");
        for (unsigned order = 0; order < nr_page_orders; ++order)
            to.decimal(blocks_of_order(input.heap, type, order), 6).text(" ");
        to.text("\n");
    }
    to.text("\n").left("Number of blocks type ", 23);
    for (const std::string_view name : type_names)
        to.right(name, 12).text(" ");
    to.text("\n");
    print_zone_head(to);
    to.text(" ");
    for (const std::size_t n : input.heap.nr_blocks_of_type)
        to.decimal(n, 12).text(" ");
    to.text("\n");
    return to.flush();
}

bool print_vmallocinfo(stream& to, const report_input& input)
{
    visitor windows{};
    windows.context = &to;
    windows.window = [](void* context, std::uintptr_t, const vm_area& area) {
        stream& out = *static_cast<stream*>(context);
        const auto start = reinterpret_cast<std::uintptr_t>(area.start);
        out.pointer(start).text("-").pointer(start + area.reserved).text(" ");
        out.decimal(area.reserved, 7);
        if (area.state == vm_area_state::cached) {
            out.text(" unpurged vm_area\n");
            return;
        }
        out.text(" malloc pages=").decimal(area.size >> page_shift).text(" vmalloc N0=");
        out.decimal(area.size >> page_shift).text("\n");
    };
    return walk(input.from, input.root, input.space, input.space.again, windows) && to.flush();
}

bool print_zoneinfo(stream& to, const report_input& input)
{
    const snapshot& heap = input.heap;
    const std::size_t free = heap.nr_free_clean + heap.nr_free_resident;
    print_zone_head(to);
    const auto line = [&to](std::string_view name, std::size_t value) {
        to.text("\n        ").left(name, 8).text(" ").decimal(value);
    };
    to.text("\n  pages free     ").decimal(free);
    line("boost", 0);
    line("min", 0);
    line("low", 0);
    line("high", 0);
    line("spanned", heap.nr_blocks * pages_per_pageblock);
    line("present", (heap.nr_blocks - heap.nr_given_back) * pages_per_pageblock);
    line("managed", heap.nr_online * pages_per_pageblock);
    line("cma", 0);
    to.text("\n        protection: (0)");
    const auto count = [&to](std::string_view name, std::size_t value) {
        to.text("\n      ").left(name, 12).text(" ").decimal(value);
    };
    count("nr_free_pages", free);
    count("nr_free_resident", heap.nr_free_resident);
    count("nr_free_clean", heap.nr_free_clean);
    count("nr_listed", heap.nr_listed_pages);
    count("nr_used_peak", heap.zone.nr_used_peak);
    count("nr_taken_again", heap.zone.nr_taken_again);
    count("nr_splits", heap.zone.nr_splits);
    to.text("\n  pagesets");

    struct context
    {
        stream& out;
        unsigned nr;
    } threads{to, 0};
    visitor seen{};
    seen.context = &threads;
    seen.thread = [](void* argument, std::uintptr_t, const thread_heap& copy) {
        auto& mine = *static_cast<context*>(argument);
        const pageset& pages = look::pages_of(copy);
        std::size_t held = 0;
        for (unsigned order = 0; order < nr_pageset_orders; ++order)
            held += std::size_t{look::nr_blocks(pages, order)} << order;
        mine.out.text("\n    cpu: ").decimal(mine.nr++).text("\n              count: ");
        mine.out.decimal(held).text("\n              high:  ");
        mine.out.decimal(nr_pageset_orders * pageset_order_bytes_max >> page_shift);
        mine.out.text("\n              batch: ").decimal(look::batch(pages, 0));
    };
    const bool walked = walk(input.from, input.root, input.space, input.space.again, seen);
    to.text("\n  node_unreclaimable:  0\n  start_pfn:           ");
    to.decimal(heap.first_address >> page_shift).text("\n");
    return walked && to.flush();
}

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
    for (const books_part& part : parts_of_books) {
        format<32> name;
        line(name.text("Bsl_").text(part.name).text(":").view(), sum.*part.bytes);
    }
    return to.flush();
}

} // namespace bsl
