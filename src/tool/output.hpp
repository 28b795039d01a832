#pragma once

/// Where a report or a picture goes.

#include "tool/commands.hpp"
#include "tool/target.hpp"

namespace bsl::tool
{

/// On standard output, or into a file, which is replaced as a whole so that its reader never sees half of
/// it.  Throws if it cannot be written.
void put_out(const std::string& text, const std::string& file);

/// Throws if something could not be written to standard output.
void flush_output();

/// The process that the operand names, or the dump of --core and --exe.
std::unique_ptr<target> target_of(const options& given, const std::string& usage);

} // namespace bsl::tool
