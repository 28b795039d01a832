#pragma once

/// Messages about the program's mistakes: one line on standard error, then abort().
///
/// Each says what is wrong, about which address, which object of which cache it is, and what would
/// have been right.  `call` is the entry point's name.

#include "slab/kmem_cache.hpp"

namespace bsl
{

[[noreturn, gnu::cold]] void report_double_free(const char* call, const object_position& at);

/// The address lies inside an object, or beside all objects of its slab.
[[noreturn, gnu::cold]] void report_not_start(const char* call, const void* address,
                                              const object_position& at);

/// The object is one of another cache than the one it is given back to.
[[noreturn, gnu::cold]] void report_wrong_cache(const char* call, const void* address,
                                                const kmem_cache& expected,
                                                const object_position& at);

/// The page belongs to an arena, but to no object.
[[noreturn, gnu::cold]] void report_free_page(const char* call, const void* address);

/// "BUG free(0x7f00): " begins every message.
class format_sink& begin_bug(class format_sink& line, const char* call, const void* address);

/// Ends it: prints the line and aborts.  Locks may be held; a handler of SIGABRT may allocate.
[[noreturn, gnu::cold]] void report_bug(const class format_sink& line);

} // namespace bsl
