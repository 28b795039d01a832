/*
 * The whole heap in one report, for people.
 */
#include "proc/report.hpp"

namespace bsl
{

namespace
{

/// 12345678 as "12,345,678".
void print_grouped(stream& to, std::uint64_t value, std::size_t width)
{
    format<24> digits;
    const std::string_view plain = digits.decimal(value).view();
    format<40> grouped;
    for (std::size_t i = 0; i < plain.size(); ++i) {
        if (i != 0 && (plain.size() - i) % 3 == 0)
            grouped.text(",");
        grouped.text({plain.data() + i, 1});
    }
    to.right(grouped.view(), width);
}

void print_zone_table(stream& to, const snapshot& heap)
{
    to.text("\nnode  zone      mapped KiB  free resident  free, no memory  pageblocks  in use\n");
    for_each_zone_of(heap, [&to](std::uint8_t number, const zone_figures& zone) {
        to.decimal(node_of_zone(number), 4).text("  ").left(name_of_zone(number), 8);
        to.decimal(zone.mapped() / kib, 12);
        to.decimal((zone.nr_free_resident << page_shift) / kib, 15);
        to.decimal(zone.clean_bytes() / kib, 17);
        to.decimal(zone.nr_blocks - zone.nr_given_back, 12).decimal(zone.nr_online, 8).text("\n");
    });
}

void print_cache_table(stream& to, const snapshot& heap)
{
    to.text("\ncache                  size        live      cached        free    slabs      "
            "KiB  resident\n");
    for (const cache_figures& c : heap.caches) {
        if (c.nr_slabs == 0)
            continue;
        to.left(c.name, 16).decimal(c.size, 11).decimal(c.nr_live(), 12).decimal(c.nr_cached, 12);
        to.decimal(c.nr_free, 12).decimal(c.nr_slabs, 9).decimal(c.bytes() / kib, 9);
        to.decimal((c.nr_resident << page_shift) / kib, 10).text("\n");
    }
}

/// Caches of the program that serve under more than one name.
void print_aliases(stream& to, const snapshot& heap)
{
    for (const cache_figures& c : heap.caches) {
        bool any = false;
        heap.for_each_alias(c, [&](std::string_view name) {
            if (any)
                to.text(", ").text(name);
            else
                to.text("\n").text(c.name).text(" also serves as ").text(name);
            any = true;
        });
        to.text(any ? "\n" : "");
    }
}

/// How much was lost to rounding, of what was asked for since the start.
void print_requests(stream& to, const snapshot& heap)
{
    bool any = false;
    for (const cache_figures& c : heap.caches) {
        const std::size_t given = c.given_bytes;
        if (c.nr_requests == 0 || given == 0) // nobody asked, or the number makes no sense
            continue;
        if (!any)
            to.text("\nrequests of            size       number     mean  lost to rounding\n");
        any = true;
        const std::size_t lost = given - (c.requested_bytes < given ? c.requested_bytes : given);
        to.left(c.name, 16).decimal(c.size, 11).decimal(c.nr_requests, 13);
        to.decimal(c.requested_bytes / c.nr_requests, 9)
            .decimal(100 * lost / given, 15)
            .text(" %\n");
    }
}

} // namespace

bool print_text(stream& to, const report_input& input)
{
    const snapshot& heap = input.heap;
    const books sum = heap.balance();
    to.text("buddyslab ").text(input.root.library_version).text(": ");
    to.decimal(heap.nr_threads).text(" threads, ").decimal(heap.nr_arenas).text(" arenas, ");
    to.decimal(heap.all.nr_online).text(" pageblocks in use of ").decimal(heap.all.nr_blocks);
    to.text(heap.is_exact ? "\n"
                          : " (threads were at work: figures are of slightly different times)\n");
    to.text("\n             bytes\n");
    for (const books_part& part : parts_of_books) {
        print_grouped(to, sum.*part.bytes, 18);
        to.text("  ").left(part.name, 16).text(part.meaning).text("\n");
    }
    print_grouped(to, sum.mapped, 18);
    to.text("  mapped\n\nsince the start: ");
    print_grouped(to, heap.returned_bytes, 0);
    to.text(" bytes given back in ").decimal(heap.returned_calls).text(" calls; windows: ");
    to.decimal(heap.vmalloc.made).text(" made, ").decimal(heap.vmalloc.stitched);
    to.text(" stitched, ").decimal(heap.vmalloc.reused).text(" reused\n");
    print_zone_table(to, heap);
    print_cache_table(to, heap);
    print_aliases(to, heap);
    print_requests(to, heap);
    return to.flush();
}

} // namespace bsl
