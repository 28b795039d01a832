#include "heap/allocation.hpp"

#include "arena/arena.hpp"
#include "arena/class_map.hpp"
#include "base/check.hpp"
#include "base/format.hpp"
#include "buddy/zone_table.hpp"
#include "heap/early.hpp"
#include "heap/heap_misuse.hpp"
#include "host/vm.hpp"
#include "slab/debug.hpp"
#include "slab/misuse.hpp"
#include "slab/program_cache.hpp"
#include "vmalloc/vmalloc.hpp"

namespace bsl::heap
{

namespace
{

using message = format<512>;

[[noreturn]] void report_foreign(const char* call, const void* p)
{
    const arena_totals arenas = totals_of_arenas();
    message line;
    begin_bug(line, call, p);
    line.text("not from this heap: no arena and no window holds this address (arenas: ");
    line.decimal(arenas.nr_arenas);
    if (arenas.nr_arenas != 0)
        line.text(" between ").pointer(arenas.lowest).text(" and ").pointer(arenas.end);
    report_bug(line.text("; windows: ").decimal(counts_of_vmalloc().live).text(")"));
}

[[noreturn]] void report_own_object(const char* call, const void* p, const object_position& at)
{
    message line;
    begin_bug(line, call, p).text("memory of the allocator itself (cache ");
    report_bug(line.text(at.cache->name()).text(")"));
}

[[noreturn]] void report_inside_run(const char* call, const void* p, const page& head)
{
    message line;
    begin_bug(line, call, p).text("not the start of an object: ");
    line.decimal(static_cast<std::size_t>(static_cast<const char*>(p) - head.start));
    line.text(" bytes into a run of ").decimal(head.nr_run_pages).text(" pages, which starts at ");
    report_bug(line.pointer(head.start));
}

format_sink& name_window(format_sink& line, const vm_area& window)
{
    line.text("window ").pointer(window.start).text(" (");
    return line.decimal(usable_size(window)).text(" bytes)");
}

[[noreturn]] void report_inside_window(const char* call, const void* p, const vm_area& window)
{
    message line;
    begin_bug(line, call, p).text("not the start of an object: ");
    line.decimal(static_cast<std::size_t>(static_cast<const char*>(p) - window.start));
    report_bug(name_window(line.text(" bytes into "), window));
}

[[noreturn]] void report_frames(const char* call, const void* p, const page& head)
{
    message line;
    begin_bug(line, call, p);
    if (type_of_zone(head.shard) == zone_type::movable)
        report_bug(line.text("memory of cma_alloc, which cma_release takes back"));
    line.text("memory of alloc_pages, which free_pages takes back: ");
    line.decimal(static_cast<std::size_t>(static_cast<const char*>(p) - head.start));
    line.text(" bytes into a block of ").decimal(head.nr_run_pages);
    report_bug(line.text(head.nr_run_pages == 1 ? " page" : " pages"));
}

/// The page says nothing of itself: it is free, or inside something large whose first page speaks.
[[noreturn]] void report_silent_page(const pageblock& block, const char* call, const void* p)
{
    const auto* address = static_cast<const char*>(p);
    for (std::size_t number = address_to_pfn(p) % pages_per_pageblock + 1; number-- > 0;) {
        const page& head = block.mem_map[number];
        if (head.state == page_state::run &&
            address < head.start + (head.nr_run_pages << page_shift))
            report_inside_run(call, p, head);
        if (head.state == page_state::frame &&
            address < head.start + (head.nr_run_pages << page_shift))
            report_frames(call, p, head);
        if (head.state == page_state::heap && !is_heap_slab(head) &&
            address < head.start + (head.nr_run_pages << page_shift))
            report_inside_heap_run(call, p, head);
        if (head.state != page_state::slab || !cache_numbered(head.cache).is_single())
            continue;
        if (address >= head.start + (single_pages(head) << page_shift))
            continue;
        object_position inside = locate(head.start, head);
        inside.offset = static_cast<std::size_t>(address - head.start);
        report_not_start(call, p, inside);
    }
    report_free_page(call, p);
}

allocation resolve_object(const void* p, page& of_page, const char* call)
{
    const object_position at = locate(p, of_page);
    if (at.cache->size_class() == 0 && !is_program_cache(*at.cache))
        report_own_object(call, p, at);
    if (!at.is_object || at.offset != 0)
        report_not_start(call, p, at);
    if (is_free(at))
        report_double_free(call, at);
    const bool is_program = is_program_cache(*at.cache);
    const auto kind = is_program ? allocation_kind::program : allocation_kind::object;
    const std::size_t size =
        at.cache->is_single() ? single_pages(*at.head) << page_shift : at.cache->size();
    return {kind, at.cache->size_class(), size, at.head, nullptr};
}

allocation resolve_run(const void* p, page& head, const char* call)
{
    if (p != head.start)
        report_inside_run(call, p, head);
    const bool adjacent = head.nr_run_pages > pages_per_pageblock;
    return {adjacent ? allocation_kind::adjacent : allocation_kind::run, 0,
            head.nr_run_pages << page_shift, &head, nullptr};
}

allocation resolve_early(const void* p, const char* call)
{
    const std::size_t size = early_size(p);
    if (size == 0)
        report_foreign(call, p);
    return {allocation_kind::early, 0, size, nullptr, nullptr};
}

} // namespace

allocation resolve(const void* p, const char* call)
{
    const unsigned size_class = page_classes.lookup(p);
    if (is_malloc_class(size_class) && !is_checked(size_class))
        return {allocation_kind::object, size_class, class_size(size_class), nullptr, nullptr};

    const address_owner owner = owner_of(p);
    if (page* head = single_object_at(owner.block, p); head != nullptr && !is_free(*head))
        return {allocation_kind::object, all_caches[head->cache].size_class(),
                single_pages(*head) << page_shift, head, nullptr};
    if (owner.window != nullptr) {
        if (p != owner.window->start)
            report_inside_window(call, p, *owner.window);
        if (vfree_check(*owner.window, p) == vfree_result::already_free)
            report_double_free_window(call, p, *owner.window);
        const std::size_t guard = owner.window->has_guard ? host::page_size() : 0;
        const auto kind = owner.window->heap != 0 ? allocation_kind::heap : allocation_kind::window;
        return {kind, 0, usable_size(*owner.window) - guard, nullptr, owner.window};
    }
    if (owner.block == nullptr || owner.block->mem_map == nullptr)
        return resolve_early(p, call);
    page& of_page = page_of(*owner.block, p);
    switch (of_page.state) {
    case page_state::slab:
        return resolve_object(p, of_page, call);
    case page_state::run:
        return resolve_run(p, of_page, call);
    case page_state::frame:
        report_frames(call, p, of_page);
    case page_state::heap:
        return {allocation_kind::heap, 0, inspect_heap_page(p, of_page, call), &of_page, nullptr};
    case page_state::free:
    case page_state::reserve:
        break;
    }
    report_silent_page(*owner.block, call, p);
}

std::uint32_t heap_number_of(const allocation& what)
{
    return what.window != nullptr ? what.window->heap : heap_number(*what.head);
}

void* mark_run(char* start, std::size_t pages, bool& zeros)
{
    zeros = !open_pages(start, pages);
    page& head = page_of(pageblock_of(start), start);
    head.start = start;
    head.nr_run_pages = pages;
    head.state = page_state::run;
    return start;
}

void report_double_free_window(const char* call, const void* p, const vm_area& window)
{
    message line;
    begin_bug(line, call, p).text("double free: ");
    report_bug(name_window(line, window).text(" is free already"));
}

} // namespace bsl::heap
