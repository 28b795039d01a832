#pragma once

/// Windows for malloc, for private heaps, and for vmalloc, with a guard behind each:
///
///     start                     size - page     size
///     |== the program's pages ==|-- guard --|
///
/// The guard is vmalloc's: the window's last page, made inaccessible.  It is writable again before the window is
/// freed or resized, by whatever call: the window may be anybody's next.  Where the system refuses that, by RLIMIT_DATA,
/// the window stays out of use: what it is made of would be of no use to anybody either, with a page that is closed.

#include "vmalloc/vmalloc.hpp"

namespace bsl::heap
{

/// A window of at least `size` bytes; everything is tried.  nullptr: errno is the caller's to set.
void* alloc_window(std::size_t size, std::size_t alignment, bool zeroed);

/// A window of whole pages and its guard; nullptr with errno = ENOMEM.
void* guarded_window(std::size_t size, bool zeroed);

/// Another size for a guarded window; nullptr with errno = ENOMEM, and it is as it was.
void* resize_guarded_window(void* p, std::size_t size);

/// The window that an address lies in, or nullptr.
vm_area* window_at(const void* p);

/// Makes the guard of a live window writable, and it has none any more.  False: it has, everything was tried.
bool drop_guard(vm_area& window);

[[noreturn, gnu::cold]] void report_window(const char* call, const void* p);
[[noreturn, gnu::cold]] void report_no_window(const char* call, const void* p);

} // namespace bsl::heap
