#include "heap/heap_misuse.hpp"

#include "base/format.hpp"
#include "slab/misuse.hpp"
#include "slab/program_cache.hpp"

namespace bsl::heap
{

namespace
{

using message = format<512>;

format_sink& name_heap(format_sink& line, std::uint32_t number)
{
    return line.text("heap ").text(heap_numbered(number).name);
}

/// "object 3 of heap requests (64 bytes)"
format_sink& name_object(format_sink& line, const page& head, unsigned index)
{
    line.text("object ").decimal(index).text(" of ");
    name_heap(line, heap_number(head)).text(" (");
    return line.decimal(heap_layouts[head.colour].size).text(" bytes)");
}

} // namespace

void report_double_free(const char* call, const void* p, const page& head, unsigned index)
{
    message line;
    begin_bug(line, call, p).text("double free: ");
    report_bug(name_object(line, head, index).text(" is free already"));
}

void report_not_start(const char* call, const void* p, const page& head, const heap_object& at)
{
    message line;
    begin_bug(line, call, p).text("not the start of an object: ");
    if (!at.is_object)
        report_bug(name_heap(line.text("behind the objects of a slab of "), heap_number(head)));
    line.decimal(at.offset).text(" bytes into ");
    name_object(line, head, at.index).text(", which starts at ");
    report_bug(line.pointer(static_cast<const char*>(p) - at.offset));
}

void report_wrong_heap(const char* call, const void* p, std::uint32_t is_of,
                       const private_heap& given_to)
{
    message line;
    begin_bug(line, call, p).text("wrong heap: an object of ");
    name_heap(line, is_of).text(", given back to heap ");
    report_bug(line.text(given_to.name));
}

void report_not_of_heap(const char* call, const void* p, const allocation& what,
                        const private_heap& heap)
{
    message line;
    begin_bug(line, call, p).text("not from heap ").text(heap.name).text(": ");
    line.decimal(what.size).text(" bytes of ");
    if (what.kind == allocation_kind::program)
        report_bug(line.text("cache ").text(name_of(cache_numbered(what.head->cache))));
    report_bug(line.text("malloc, which free takes back"));
}

void report_inside_heap_run(const char* call, const void* p, const page& head)
{
    message line;
    begin_bug(line, call, p).text("not the start of an object: ");
    line.decimal(static_cast<std::size_t>(static_cast<const char*>(p) - head.start));
    line.text(" bytes into an object of ");
    name_heap(line, heap_number(head)).text(" (").decimal(head.nr_run_pages << page_shift);
    report_bug(line.text(" bytes), which starts at ").pointer(head.start));
}

void report_no_heap(const char* call, std::uintptr_t handle)
{
    format<160> line;
    begin_bug(line, call, reinterpret_cast<const void*>(handle));
    report_bug(line.text("no heap: it was destroyed"));
}

} // namespace bsl::heap
