/*
 * The whole heap in one report: for people, as JSON, and in Prometheus' text format (names with their
 * unit, counters that end in _total, one metric with labels where the sum over a label means something).
 */
#include "proc/report.hpp"

namespace bsl
{

namespace
{

bool is_used(const cache_figures& c)
{
    return c.nr_slabs != 0;
}

// --- for people --------------------------------------------------------------------------------

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

void print_cache_table(stream& to, const snapshot& heap)
{
    to.text("\ncache                  size        live      cached        free    slabs      "
            "KiB  resident\n");
    for (const cache_figures& c : heap.caches) {
        if (!is_used(c))
            continue;
        to.left(c.name, 16).decimal(c.size, 11).decimal(c.nr_live(), 12).decimal(c.nr_cached, 12);
        to.decimal(c.nr_free, 12).decimal(c.nr_slabs, 9).decimal(c.bytes() / kib, 9);
        to.decimal((c.nr_resident << page_shift) / kib, 10).text("\n");
    }
}

/// How much was lost to rounding, of what was asked for since the start.
void print_requests(stream& to, const snapshot& heap)
{
    bool any = false;
    for (const cache_figures& c : heap.caches) {
        if (c.nr_requests == 0)
            continue;
        if (!any)
            to.text("\nrequests of            size       number     mean  lost to rounding\n");
        any = true;
        const std::size_t given = c.nr_requests * c.size;
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
    to.decimal(heap.nr_online).text(" pageblocks in use of ").decimal(heap.nr_blocks);
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
    print_cache_table(to, heap);
    print_requests(to, heap);
    return to.flush();
}

// --- JSON --------------------------------------------------------------------------------------

namespace
{

/// Members of an object: puts the commas.
class json_object
{
public:
    explicit json_object(stream& to) : to_(to) { to_.text("{"); }
    ~json_object() { to_.text("}"); }
    json_object(const json_object&) = delete;
    json_object& operator=(const json_object&) = delete;

    stream& member(std::string_view name)
    {
        to_.text(first_ ? "\"" : ",\"").text(name).text("\":");
        first_ = false;
        return to_;
    }

private:
    stream& to_;
    bool first_ = true;
};

void print_cache_json(stream& to, const cache_figures& c)
{
    json_object o(to);
    o.member("name").text("\"").text(c.name).text("\"");
    o.member("size").decimal(c.size);
    o.member("own").text(c.is_own ? "true" : "false");
    o.member("live").decimal(c.nr_live());
    o.member("cached").decimal(c.nr_cached);
    o.member("free").decimal(c.nr_free);
    o.member("slabs").decimal(c.nr_slabs);
    o.member("full_slabs").decimal(c.nr_full_slabs);
    o.member("active_slabs").decimal(c.nr_active_slabs);
    o.member("bytes").decimal(c.bytes());
    o.member("resident_bytes").decimal(c.nr_resident << page_shift);
    if (c.nr_requests != 0) {
        o.member("requests_total").decimal(c.nr_requests);
        o.member("requested_bytes_total").decimal(c.requested_bytes);
    }
}

void print_zone_json(stream& to, const snapshot& heap)
{
    json_object o(to);
    o.member("pageblocks").decimal(heap.nr_blocks);
    o.member("online").decimal(heap.nr_online);
    o.member("given_back").decimal(heap.nr_given_back);
    o.member("free_resident_pages").decimal(heap.nr_free_resident);
    o.member("free_clean_pages").decimal(heap.nr_free_clean);
    o.member("listed_pages").decimal(heap.nr_listed_pages);
    o.member("run_pages").decimal(heap.nr_run_pages);
    o.member("hole_pages").decimal(heap.nr_holes);
    o.member("splits_total").decimal(heap.zone.nr_splits);
    stream& list = o.member("free_blocks");
    for (unsigned order = 0; order < nr_page_orders; ++order) {
        std::size_t sum = order == max_page_order ? heap.nr_untouched : 0;
        for (unsigned type = 0; type < nr_migrate_types; ++type)
            sum += heap.free_blocks[type][order][0] + heap.free_blocks[type][order][1];
        list.text(order == 0 ? "[" : ",").decimal(sum);
    }
    list.text("]");
}

void print_windows_json(stream& to, const snapshot& heap)
{
    json_object o(to);
    o.member("live").decimal(heap.nr_live_windows);
    o.member("live_bytes").decimal(heap.live_window_bytes);
    o.member("cached").decimal(heap.nr_cached_windows);
    o.member("cached_bytes").decimal(heap.cached_window_bytes);
    o.member("lent_bytes").decimal(heap.lent_bytes);
    o.member("made_total").decimal(heap.vmalloc.made);
    o.member("stitched_total").decimal(heap.vmalloc.stitched);
    o.member("reused_total").decimal(heap.vmalloc.reused);
}

} // namespace

bool print_json(stream& to, const report_input& input)
{
    const snapshot& heap = input.heap;
    const books sum = heap.balance();
    {
        json_object all(to);
        all.member("version").text("\"").text(input.root.library_version).text("\"");
        all.member("exact").text(heap.is_exact ? "true" : "false");
        all.member("threads").decimal(heap.nr_threads);
        all.member("mapped").decimal(sum.mapped);
        {
            json_object parts(all.member("books"));
            for (const books_part& part : parts_of_books)
                parts.member(part.name).decimal(sum.*part.bytes);
        }
        print_zone_json(all.member("zone"), heap);
        print_windows_json(all.member("windows"), heap);
        {
            json_object returned(all.member("returned"));
            returned.member("bytes_total").decimal(heap.returned_bytes);
            returned.member("calls_total").decimal(heap.returned_calls);
        }
        stream& list = all.member("caches").text("[");
        bool first = true;
        for (const cache_figures& c : heap.caches) {
            if (!is_used(c))
                continue;
            list.text(first ? "" : ",");
            first = false;
            print_cache_json(list, c);
        }
        list.text("]");
    }
    to.text("\n");
    return to.flush();
}

// --- Prometheus --------------------------------------------------------------------------------

namespace
{

class metric
{
public:
    metric(stream& to, std::string_view name, std::string_view type, std::string_view help)
        : to_(to), name_(name)
    {
        to_.text("# HELP buddyslab_").text(name).text(" ").text(help).text("\n");
        to_.text("# TYPE buddyslab_").text(name).text(" ").text(type).text("\n");
    }

    void value(std::size_t n)
    {
        to_.text("buddyslab_").text(name_).text(" ").decimal(n).text("\n");
    }

    void value(std::string_view label, std::string_view is, std::size_t n)
    {
        to_.text("buddyslab_").text(name_).text("{").text(label).text("=\"").text(is);
        to_.text("\"} ").decimal(n).text("\n");
    }

    void value(const cache_figures& c, std::string_view state, std::size_t n)
    {
        to_.text("buddyslab_").text(name_).text("{cache=\"").text(c.name).text("\",state=\"");
        to_.text(state).text("\"} ").decimal(n).text("\n");
    }

private:
    stream& to_;
    std::string_view name_;
};

void print_cache_metrics(stream& to, const snapshot& heap)
{
    {
        metric m(to, "cache_objects", "gauge", "Objects of a slab cache by where they are.");
        for (const cache_figures& c : heap.caches) {
            if (!is_used(c))
                continue;
            m.value(c, "live", c.nr_live());
            m.value(c, "cached", c.nr_cached);
            m.value(c, "free", c.nr_free);
        }
    }
    metric object(to, "cache_object_size_bytes", "gauge", "Size of an object of a slab cache.");
    for (const cache_figures& c : heap.caches) {
        if (is_used(c))
            object.value("cache", c.name, c.size);
    }
    metric slabs(to, "cache_slabs", "gauge", "Slabs of a cache.");
    for (const cache_figures& c : heap.caches) {
        if (is_used(c))
            slabs.value("cache", c.name, c.nr_slabs);
    }
    metric pages(to, "cache_resident_bytes", "gauge", "Resident memory of a cache's slabs.");
    for (const cache_figures& c : heap.caches) {
        if (is_used(c))
            pages.value("cache", c.name, c.nr_resident << page_shift);
    }
}

void print_block_metrics(stream& to, const snapshot& heap)
{
    metric m(to, "free_blocks", "gauge", "Free blocks of the buddy system by order.");
    for (unsigned order = 0; order < nr_page_orders; ++order) {
        std::size_t sum = order == max_page_order ? heap.nr_untouched : 0;
        for (unsigned type = 0; type < nr_migrate_types; ++type)
            sum += heap.free_blocks[type][order][0] + heap.free_blocks[type][order][1];
        format<8> number;
        m.value("order", number.decimal(order).view(), sum);
    }
}

} // namespace

bool print_prometheus(stream& to, const report_input& input)
{
    const snapshot& heap = input.heap;
    const books sum = heap.balance();
    metric(to, "mapped_bytes", "gauge", "Address space of the heap.").value(sum.mapped);
    {
        metric m(to, "memory_bytes", "gauge",
                 "The heap by what it is for; the sum over state is mapped_bytes.");
        for (const books_part& part : parts_of_books)
            m.value("state", part.name, sum.*part.bytes);
    }
    metric(to, "threads", "gauge", "Threads that have caches of their own.").value(heap.nr_threads);
    {
        metric m(to, "windows", "gauge", "Blocks above 4 MiB.");
        m.value("state", "live", heap.nr_live_windows);
        m.value("state", "cached", heap.nr_cached_windows);
    }
    metric(to, "returned_bytes_total", "counter", "Memory given back to the system.")
        .value(heap.returned_bytes);
    metric(to, "returned_calls_total", "counter", "System calls that gave memory back.")
        .value(heap.returned_calls);
    metric(to, "windows_made_total", "counter", "Windows made.").value(heap.vmalloc.made);
    metric(to, "windows_stitched_total", "counter", "Windows made with resident frames.")
        .value(heap.vmalloc.stitched);
    metric(to, "windows_reused_total", "counter", "Requests served by a kept window.")
        .value(heap.vmalloc.reused);
    metric(to, "block_splits_total", "counter", "Blocks of the buddy system that were split.")
        .value(heap.zone.nr_splits);
    print_block_metrics(to, heap);
    print_cache_metrics(to, heap);
    return to.flush();
}

} // namespace bsl
