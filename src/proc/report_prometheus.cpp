/*
 * The whole heap in Prometheus' text format: names with their unit, counters that end in _total, one
 * metric with labels where the sum over a label means something.
 */
#include "proc/report.hpp"

#include <initializer_list>

namespace bsl
{

namespace
{

struct label
{
    std::string_view name;
    std::string_view value; ///< nothing that would have to be escaped: names of caches are harmless
};

class metric
{
public:
    metric(stream& to, std::string_view name, std::string_view type, std::string_view help)
        : to_(to), name_(name)
    {
        to_.text("# HELP buddyslab_").text(name).text(" ").text(help).text("\n");
        to_.text("# TYPE buddyslab_").text(name).text(" ").text(type).text("\n");
    }

    void value(std::size_t n, std::initializer_list<label> labels = {})
    {
        to_.text("buddyslab_").text(name_);
        std::string_view before = "{";
        for (const label& l : labels) {
            to_.text(before).text(l.name).text("=\"").text(l.value).text("\"");
            before = ",";
        }
        to_.text(labels.size() == 0 ? " " : "} ").decimal(n).text("\n");
    }

private:
    stream& to_;
    std::string_view name_;
};

void print_single_metrics(stream& to, const snapshot& heap)
{
    const struct
    {
        std::string_view name;
        std::string_view type;
        std::size_t value;
        std::string_view help;
    } all[] = {
        {"threads", "gauge", heap.nr_threads, "Threads that have caches of their own."},
        {"returned_bytes_total", "counter", heap.returned_bytes,
         "Memory given back to the system."},
        {"returned_calls_total", "counter", heap.returned_calls,
         "System calls that gave memory back."},
        {"windows_made_total", "counter", heap.vmalloc.made, "Windows made."},
        {"windows_stitched_total", "counter", heap.vmalloc.stitched,
         "Windows made with resident frames."},
        {"windows_reused_total", "counter", heap.vmalloc.reused,
         "Requests served by a kept window."},
        {"block_splits_total", "counter", heap.all.counts.nr_splits,
         "Blocks of the buddy system that were split."},
    };
    for (const auto& m : all)
        metric(to, m.name, m.type, m.help).value(m.value);
}

/// Of which zone a line of a metric speaks.
struct zone_labels
{
    explicit zone_labels(std::uint8_t number) : name(name_of_zone(number))
    {
        node.decimal(node_of_zone(number));
    }

    format<8> node;
    std::string_view name;
};

void print_zone_metrics(stream& to, const snapshot& heap)
{
    {
        metric m(to, "zone_memory_bytes", "gauge", "Memory of a zone by what it is for.");
        for_each_zone_of(heap, [&m](std::uint8_t number, const zone_figures& zone) {
            const zone_labels of(number);
            const auto put = [&](std::string_view state, std::size_t bytes) {
                m.value(bytes, {{"node", of.node.view()}, {"zone", of.name}, {"state", state}});
            };
            const std::size_t resident = zone.nr_free_resident << page_shift;
            put("used", zone.mapped() - resident - zone.clean_bytes());
            put("free_resident", resident);
            put("free_clean", zone.clean_bytes());
        });
    }
    metric m(to, "free_blocks", "gauge", "Free blocks of the buddy system by order.");
    for_each_zone_of(heap, [&m](std::uint8_t number, const zone_figures& zone) {
        const zone_labels of(number);
        for (unsigned order = 0; order < nr_page_orders; ++order) {
            format<8> text;
            m.value(zone.nr_free_blocks(order), {{"node", of.node.view()},
                                                 {"zone", of.name},
                                                 {"order", text.decimal(order).view()}});
        }
    });
}

template <typename Fn>
void for_each_used(const snapshot& heap, Fn fn)
{
    for (const cache_figures& c : heap.caches) {
        if (c.nr_slabs != 0)
            fn(c, label{"cache", c.name});
    }
}

void print_cache_metrics(stream& to, const snapshot& heap)
{
    {
        metric m(to, "cache_objects", "gauge", "Objects of a slab cache by where they are.");
        for_each_used(heap, [&m](const cache_figures& c, label name) {
            m.value(c.nr_live(), {name, {"state", "live"}});
            m.value(c.nr_cached, {name, {"state", "cached"}});
            m.value(c.nr_free, {name, {"state", "free"}});
        });
    }
    metric size(to, "cache_object_size_bytes", "gauge", "Size of an object of a slab cache.");
    for_each_used(heap, [&](const cache_figures& c, label name) { size.value(c.size, {name}); });
    metric slabs(to, "cache_slabs", "gauge", "Slabs of a cache.");
    for_each_used(heap,
                  [&](const cache_figures& c, label name) { slabs.value(c.nr_slabs, {name}); });
    metric pages(to, "cache_resident_bytes", "gauge", "Resident memory of a cache's slabs.");
    for_each_used(heap, [&](const cache_figures& c, label name) {
        pages.value(c.nr_resident << page_shift, {name});
    });
}

/// Where requests are counted: what was asked for, of so many objects.
void print_request_metrics(stream& to, const snapshot& heap)
{
    bool any = false;
    for (const cache_figures& c : heap.caches)
        any |= c.nr_requests != 0;
    if (!any)
        return;
    metric requests(to, "cache_requests_total", "counter", "Requests that a size class served.");
    for (const cache_figures& c : heap.caches) {
        if (c.nr_requests != 0)
            requests.value(c.nr_requests, {{"cache", c.name}});
    }
    metric bytes(to, "cache_requested_bytes_total", "counter", "What these requests asked for.");
    for (const cache_figures& c : heap.caches) {
        if (c.nr_requests != 0)
            bytes.value(c.requested_bytes, {{"cache", c.name}});
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
            m.value(sum.*part.bytes, {{"state", part.name}});
    }
    {
        metric m(to, "windows", "gauge", "Blocks above 4 MiB.");
        m.value(heap.nr_live_windows, {{"state", "live"}});
        m.value(heap.nr_cached_windows, {{"state", "cached"}});
    }
    print_single_metrics(to, heap);
    print_zone_metrics(to, heap);
    print_cache_metrics(to, heap);
    print_request_metrics(to, heap);
    return to.flush();
}

} // namespace bsl
