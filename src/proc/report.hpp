#pragma once

/// A snapshot as text, in the formats that people and programs know.
///
///     slabinfo, buddyinfo, pagetypeinfo, vmallocinfo, zoneinfo, meminfo    the kernel's files in /proc
///     text                                                                 for reading
///     json, prometheus                                                     for programs
///
/// The same code writes them for the command `buddyslab`, which looks from outside, and in the process
/// itself.

#include "proc/snapshot.hpp"
#include "proc/stream.hpp"

#include <string_view>

namespace bsl
{

/// What a report is made from: a snapshot and, for those that show each window or thread, the memory.
struct report_input
{
    const snapshot& heap;
    const memory_source& from;
    const heap_root_table& root;
    workspace& space;
};

/// Is there a report of this name?
bool is_report(std::string_view name);

/// Writes the report of a name.  False: there is none, or the memory could not be read.
bool print_report(stream& to, std::string_view name, const report_input& input);

// --- the reports, one by one

bool print_slabinfo(stream& to, const report_input& input);
bool print_buddyinfo(stream& to, const report_input& input);
bool print_pagetypeinfo(stream& to, const report_input& input);
bool print_vmallocinfo(stream& to, const report_input& input);
bool print_zoneinfo(stream& to, const report_input& input);
bool print_meminfo(stream& to, const report_input& input);
bool print_text(stream& to, const report_input& input);
bool print_json(stream& to, const report_input& input);
bool print_prometheus(stream& to, const report_input& input);

/// One part of the books: its name in reports, and its place.
struct books_part
{
    std::string_view name;
    std::size_t books::*bytes;
    std::string_view meaning;
};
inline constexpr books_part parts_of_books[] = {
    {"live", &books::live, "objects and pages that the program has"},
    {"cached", &books::cached, "objects at hand in sheaves"},
    {"slab_free", &books::slab_free, "resident, free in slabs"},
    {"free_pages", &books::free_pages, "resident, free pages"},
    {"reserve", &books::reserve, "pages kept for GFP_ATOMIC"},
    {"live_windows", &books::live_windows, "windows that the program has"},
    {"cached_windows", &books::cached_windows, "windows kept for reuse"},
    {"metadata", &books::metadata, "tables, threads, sheaves"},
    {"returned", &books::returned, "addresses without memory"},
    {"moving", &books::moving, "on the way from one to another"},
};

} // namespace bsl
