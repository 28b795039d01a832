#include "proc/exit_report.hpp"

#include "config/params.hpp"
#include "heap/calls.hpp"
#include "host/console.hpp"
#include "host/file.hpp"
#include "host/signal.hpp"
#include "host/sysinfo.hpp"
#include "proc/heap_totals.hpp"
#include "proc/own_report.hpp"

namespace bsl
{

namespace
{

/// 0: nobody reports.
constinit int reporting_process = 0;

using format_name = format<32>;

/// Writes a report to a descriptor; `context` is its format.
int write_to(int fd, const void* context)
{
    const auto& name = *static_cast<const format_name*>(context);
    if (name.view() != "summary")
        return write_own_report(fd, name.view());
    report_text text;
    write_report(text);
    return host::write_all(fd, text.view());
}

/// param.report_file with the number of the process in it.
void name_file(format_sink& to)
{
    std::string_view rest(param.report_file);
    for (std::size_t at; (at = rest.find("%p")) != std::string_view::npos;) {
        to.text({rest.data(), at}).decimal(static_cast<unsigned>(host::process_id()));
        rest.remove_prefix(at + 2);
    }
    to.text(rest);
}

/// To where reports go.  That one cannot be written is said, where anything can be.
void write_report_of(const format_name& name)
{
    const int console = host::kept_console();
    int error = 0;
    format<256> file;
    name_file(file);
    if (!file.view().empty())
        error = host::replace_file(file.c_str(), write_to, &name);
    else if (console >= 0)
        error = write_to(console, &name);
    if (error == 0 || console < 0)
        return;
    format<512> line;
    line.text("buddyslab: no report");
    line.text(file.view().empty() ? "" : " in ").text(file.view());
    host::write_all(console, line.text(": error ").signed_decimal(-error).text("\n").view());
}

/// In a signal handler: nothing here takes a lock.
void report_at_signal()
{
    format_name name;
    format_param("report_format", name);
    if (name.view() == "summary") {
        name.clear();
        name.text("text");
    }
    write_report_of(name);
}

/// After heap/boot.cpp, which reads the parameters.
[[gnu::constructor(102)]] void prepare_report()
{
    if (param.report == 0 && param.report_signal == 0)
        return;
    host::keep_console();
    if (param.report != 0)
        reporting_process = host::process_id();
    if (param.report_signal != 0)
        host::install_signal_handler(static_cast<int>(param.report_signal), report_at_signal);
}

[[gnu::destructor(101)]] void report_at_exit()
{
    if (!reports_at_exit())
        return;
    format_name name;
    format_param("report_format", name);
    write_report_of(name);
}

} // namespace

bool reports_at_exit()
{
    return reporting_process != 0 && reporting_process == host::process_id();
}

void write_report(report_text& to)
{
    const heap::call_counts calls = heap::counted_calls();
    to.text("buddyslab: calls: malloc ").decimal(calls.malloc);
    to.text(", calloc ").decimal(calls.calloc).text(", realloc ").decimal(calls.realloc);
    to.text(", aligned ").decimal(calls.aligned).text(", free ").decimal(calls.free);

    const heap_totals now = totals_of_heap();
    to.text("\nbuddyslab: peak: ").decimal(now.peak_mapped).text(" bytes mapped, ");
    to.decimal(now.peak_in_use).text(" bytes in use");
    to.text("\nbuddyslab: pages: ").decimal(now.nr_pages_in_use).text(" in use, ");
    to.decimal(now.nr_pages_free_resident).text(" free resident, ");
    to.decimal(now.nr_pages_free_clean).text(" free clean");
    to.text("\nbuddyslab: slabs: ").decimal(now.nr_slabs).text(" live, ");
    to.decimal(now.nr_objects).text(" objects in use");
    to.text("\nbuddyslab: windows: ").decimal(now.nr_windows_made).text(" made, ");
    to.decimal(now.nr_windows).text(" live, ");
    to.decimal(now.nr_windows_stitched).text(" stitched");
    to.text("\nbuddyslab: returned: ").decimal(now.returned_bytes);
    to.text(" bytes to the system in ").decimal(now.returned_calls).text(" calls\n");
}

} // namespace bsl
