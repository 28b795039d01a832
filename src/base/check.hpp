#pragma once

/// Two kinds of check, never mixed.
///
/// BSL_BUG_ON(condition, …) is the caller's mistake (level 1, in release builds too): it prints one
/// line that names what is wrong, and aborts.  Its message is built by the room that knows the
/// object; here is only the way out.
///
/// VM_BUG_ON(condition) is our own mistake (level 2): an invariant of the file it stands in does not
/// hold.  Level 3 adds full walks: a structure's validate() at entry and exit of its operations.

#ifndef BUDDYSLAB_CHECK_LEVEL
#define BUDDYSLAB_CHECK_LEVEL 1
#endif

namespace bsl
{

inline constexpr int check_level = BUDDYSLAB_CHECK_LEVEL;

/// Prints "buddyslab: <text>" to standard error and aborts.  Defined in host/console.cpp, the room
/// that may call the kernel.
[[noreturn, gnu::cold]] void panic(const char* text);

[[noreturn, gnu::cold]] void vm_bug(const char* condition, const char* file, int line);

} // namespace bsl

#define VM_BUG_ON(condition)                                                                       \
    do {                                                                                           \
        if constexpr (::bsl::check_level >= 2) {                                                   \
            if (condition) [[unlikely]]                                                            \
                ::bsl::vm_bug(#condition, __FILE__, __LINE__);                                     \
        }                                                                                          \
    } while (false)
