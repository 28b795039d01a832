#pragma once

/// Messages to standard error by write(2): no stdio, no allocation, usable at any time.

#include <string_view>

namespace bsl::host
{

/// Writes "buddyslab: ", the text and a newline to standard error in one write.
void print_line(std::string_view text);

/// Writes the text as it is to a file descriptor, to its end.  0, or a negative errno.
int write_all(int fd, std::string_view text);

/// Keeps standard error for the end of the process, when the program may have closed it: makes a
/// duplicate, out of the way of the low numbers that programs count on, and closed by exec.
void keep_console();

/// The descriptor of what was standard error then; -1 if the program closed the duplicate too: its
/// number may mean another file by now.
int kept_console();

} // namespace bsl::host
