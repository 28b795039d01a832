#pragma once

/// Probes: places in slow paths that tracers can hook into while the program runs (USDT, as systemtap,
/// bpftrace, perf and gdb know them).  docs/looking-inside.md lists them.
///
///     BSL_PROBE3(block_split, block.start, from, order);
///
/// A probe is one instruction that does nothing, and a note in the library that says where it is and
/// where its arguments are.  Where the header of systemtap is not installed there are none.

#if __has_include(<sys/sdt.h>)

#include <sys/sdt.h>

#define BSL_PROBE2(name, a, b) STAP_PROBE2(buddyslab, name, a, b)
#define BSL_PROBE3(name, a, b, c) STAP_PROBE3(buddyslab, name, a, b, c)

#else

#define BSL_PROBE2(name, a, b)                                                                     \
    do {                                                                                           \
    } while (false)
#define BSL_PROBE3(name, a, b, c)                                                                  \
    do {                                                                                           \
    } while (false)

#endif
