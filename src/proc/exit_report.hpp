#pragma once

/// The heap's report: what BUDDYSLAB=report=exit prints when the process ends.
///
///     buddyslab: calls: malloc 5000, calloc 12, realloc 3, aligned 0, free 4990
///     buddyslab: peak: 4771840 bytes mapped, 1310720 bytes in use
///     buddyslab: pages: 300 in use, 20 free resident, 704 free clean
///     buddyslab: slabs: 25 live, 400 objects in use
///     buddyslab: windows: 0 made, 0 live, 0 stitched
///     buddyslab: returned: 81920 bytes to the system in 4 calls
///
/// report_format, report_file and report_signal make it another report (proc/report.hpp), in a file,
/// or at a signal.
///
/// Only the process that the library was started in prints it, not the children it forks; and it does
/// so last, among the library's destructors, whether or not the program has closed standard error.

#include "base/format.hpp"

namespace bsl
{

using report_text = format<1024>;

/// The report as of now.  Calls are zeros unless they are counted (report=exit).
void write_report(report_text& to);

/// Does this process print the report at its end?
bool reports_at_exit();

} // namespace bsl
