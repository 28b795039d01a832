#pragma once

/// Files that reports and pictures are written to.

namespace bsl::host
{

/// What to do about a FIFO that nobody reads yet.
enum class without_reader
{
    fail,
    wait,
};

/// Writes a file anew by `write`, which gets a descriptor.  0, or a negative errno, also of `write`.  No
/// allocation; usable in a signal handler.
///
/// A regular file is replaced as a whole, so that its readers never see a part; where the name is a link,
/// the file that it leads to.  Access rights stay what they were.  Anything else, such as a device, is
/// written as it is.
int replace_file(const char* name, int (*write)(int fd, const void* context), const void* context,
                 without_reader then = without_reader::fail);

} // namespace bsl::host
