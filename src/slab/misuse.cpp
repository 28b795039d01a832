#include "slab/misuse.hpp"

#include "base/check.hpp"
#include "base/format.hpp"
#include "slab/program_cache.hpp"

namespace bsl
{

namespace
{

using message = format<512>;

void name_object(format_sink& line, const object_position& at)
{
    line.text("object ").decimal(at.index).text(" of cache ").text(name_of(*at.cache));
}

} // namespace

void report_bug(const format_sink& line)
{
    mutex::open_all_to_this_thread();
    panic(line.c_str());
}

format_sink& begin_bug(format_sink& line, const char* call, const void* address)
{
    return line.text("BUG ").text(call).text("(").pointer(address).text("): ");
}

void report_double_free(const char* call, const object_position& at)
{
    message line;
    begin_bug(line, call, at.object).text("double free: ");
    name_object(line, at);
    report_bug(line.text(" at ").pointer(at.object).text(" is free already"));
}

void report_not_start(const char* call, const void* address, const object_position& at)
{
    message line;
    begin_bug(line, call, address).text("not the start of an object: ");
    if (!at.is_object) {
        line.text("beside the objects of a slab of cache ").text(name_of(*at.cache));
        report_bug(line.text(" at ").pointer(at.head->start));
    }
    line.decimal(at.offset).text(" bytes into ");
    name_object(line, at);
    report_bug(line.text(", which starts at ").pointer(at.object));
}

void report_wrong_cache(const char* call, const void* address, const kmem_cache& expected,
                        const object_position& at)
{
    message line;
    begin_bug(line, call, address).text("wrong cache: ");
    name_object(line, at);
    report_bug(line.text(", given back to cache ").text(name_of(expected)));
}

void report_free_page(const char* call, const void* address)
{
    message line;
    begin_bug(line, call, address);
    report_bug(line.text("no object is here: the page is free (freed before, or never allocated)"));
}

} // namespace bsl
