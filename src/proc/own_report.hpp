#pragma once

/// Reports of this process about itself: the same walk that other processes do from outside, without a
/// lock, an allocation or stdio.  May be called at any time, in a signal handler too, by several threads
/// at once.

#include <string_view>

namespace bsl
{

/// Writes the report of a name (proc/report.hpp) to a file descriptor.  0, or a negative errno:
/// EINVAL no such report, ENOMEM, EPERM if the system lets nobody read its own memory (a sandbox
/// without process_vm_readv), or what write() said.
int write_own_report(int fd, std::string_view name);

} // namespace bsl
