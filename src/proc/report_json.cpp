/*
 * The whole heap as JSON, in one line.
 */
#include "proc/json.hpp"
#include "proc/report.hpp"

namespace bsl
{

namespace
{

template <typename T>
using member_name = std::pair<std::string_view, std::size_t T::*>;

constexpr member_name<cache_figures> of_cache[] = {
    {"size", &cache_figures::size},
    {"cached", &cache_figures::nr_cached},
    {"free", &cache_figures::nr_free},
    {"slabs", &cache_figures::nr_slabs},
    {"full_slabs", &cache_figures::nr_full_slabs},
    {"active_slabs", &cache_figures::nr_active_slabs},
};

constexpr member_name<zone_figures> of_zone[] = {
    {"pageblocks", &zone_figures::nr_blocks},
    {"online", &zone_figures::nr_online},
    {"given_back", &zone_figures::nr_given_back},
    {"free_resident_pages", &zone_figures::nr_free_resident},
    {"free_clean_pages", &zone_figures::nr_free_clean},
    {"run_pages", &zone_figures::nr_run_pages},
    {"reserve_pages", &zone_figures::nr_reserve_pages},
};

constexpr member_name<snapshot> of_windows[] = {
    {"live", &snapshot::nr_live_windows},     {"live_bytes", &snapshot::live_window_bytes},
    {"cached", &snapshot::nr_cached_windows}, {"cached_bytes", &snapshot::cached_window_bytes},
    {"lent_bytes", &snapshot::lent_bytes},
};

void print_cache(stream& to, const snapshot& heap, const cache_figures& c)
{
    json_object o(to);
    o.text("name", c.name).flag("own", c.is_own).number("live", c.nr_live()).numbers(c, of_cache);
    o.number("bytes", c.bytes()).number("resident_bytes", c.nr_resident << page_shift);
    if (c.nr_requests != 0) {
        o.number("requests_total", c.nr_requests);
        o.number("requested_bytes_total", c.requested_bytes);
    }
    json_list aliases(o.member("aliases"));
    heap.for_each_alias(c, [&](std::string_view name) { put_quoted(aliases.next(), name); });
}

void print_zone(stream& to, std::uint8_t number, const zone_figures& zone)
{
    json_object o(to);
    o.number("node", node_of_zone(number)).text("name", name_of_zone(number));
    o.number("mapped", zone.mapped()).numbers(zone, of_zone);
    o.number("splits_total", zone.counts.nr_splits);
    json_list blocks(o.member("free_blocks"));
    for (unsigned order = 0; order < nr_page_orders; ++order)
        blocks.next().decimal(zone.nr_free_blocks(order));
}

void print_books(stream& to, const books& sum)
{
    json_object parts(to);
    for (const books_part& part : parts_of_books)
        parts.number(part.name, sum.*part.bytes);
}

void print_windows(stream& to, const snapshot& heap)
{
    json_object o(to);
    o.numbers(heap, of_windows).number("made_total", heap.vmalloc.made);
    o.number("stitched_total", heap.vmalloc.stitched).number("reused_total", heap.vmalloc.reused);
}

void print_all(stream& to, const report_input& input)
{
    const snapshot& heap = input.heap;
    const books sum = heap.balance();
    json_object all(to);
    all.text("version", input.root.library_version).flag("exact", heap.is_exact);
    all.number("threads", heap.nr_threads).number("mapped", sum.mapped);
    print_books(all.member("books"), sum);
    all.number("listed_pages", heap.nr_listed_pages).number("hole_pages", heap.nr_holes);
    {
        json_list zones(all.member("zones"));
        for_each_zone_of(heap, [&zones](std::uint8_t number, const zone_figures& zone) {
            print_zone(zones.next(), number, zone);
        });
    }
    print_windows(all.member("windows"), heap);
    json_object(all.member("returned"))
        .number("bytes_total", heap.returned_bytes)
        .number("calls_total", heap.returned_calls);
    json_list caches(all.member("caches"));
    for (const cache_figures& c : heap.caches) {
        if (c.nr_slabs != 0)
            print_cache(caches.next(), heap, c);
    }
}

} // namespace

bool print_json(stream& to, const report_input& input)
{
    print_all(to, input);
    to.text("\n");
    return to.flush();
}

} // namespace bsl
