#include "proc/exit_report.hpp"

#include "config/params.hpp"
#include "heap/heap.hpp"
#include "host/console.hpp"
#include "host/sysinfo.hpp"
#include "proc/heap_totals.hpp"

namespace bsl
{

namespace
{

/// 0: nobody reports.
constinit int reporting_process = 0;

/// After heap/boot.cpp, which reads the parameters.
[[gnu::constructor(102)]] void prepare_report()
{
    if (param.report == 0)
        return;
    host::keep_console();
    reporting_process = host::process_id();
}

[[gnu::destructor(101)]] void report_at_exit()
{
    if (!reports_at_exit())
        return;
    report_text text;
    write_report(text);
    host::write_to_kept_console(text.view());
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
