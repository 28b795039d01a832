#pragma once

/// A linker takes of a static library only what is referred to.  So every file of this room that a program
/// may be the only user of includes this: without it, neither the library's start, nor the root where
/// readers begin, nor the report at exit would be there.

#include "heap/boot.hpp"
#include "proc/exit_report.hpp"

namespace bsl::api
{

[[gnu::used]] inline bool (*const start_and_end[])() = {has_booted, reports_at_exit};

} // namespace bsl::api
