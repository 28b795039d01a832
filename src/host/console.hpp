#pragma once

/// Messages to standard error by write(2): no stdio, no allocation, usable at any time.

#include <string_view>

namespace bsl::host
{

/// Writes "buddyslab: ", the text and a newline to standard error in one write.
void print_line(std::string_view text);

/// Writes the text as it is to a file descriptor, to its end.
void write_all(int fd, std::string_view text);

} // namespace bsl::host
