#pragma once

/// malloc before the loader has relocated this library.
///
/// An ifunc resolver of a library that the program is linked with runs while that library is being
/// relocated, and it comes before a preloaded one.  When such a resolver calls malloc, this code runs
/// with its global offset table all zeros: no call into libc, no thread-local storage, no address in
/// a table; what it can reach is what lies at a fixed distance from the code itself.
///
/// How the fast paths notice, without an instruction for it: the offset of this_thread from the thread
/// pointer reads as 0, so what they take for this_thread.bins is a word of libc's own block of the
/// thread; and bins is placed so that this word is one that is always 0 (`sysinfo`, which x86-64 has
/// no use for).  Bins of nullptr lead to the slow path, which asks is_early().  free comes here by
/// its slow path, too: an address that nobody owns is looked up here at last.
///
/// x86-64 only.  Elsewhere such a resolver crashes, as it does with every other allocator.
///
///     chunk:  | next, end | size | object | size | object | …
///
/// Objects come one after the other from chunks mapped for them, and are never used again: there are
/// few.  Only one thread is running.

#include <cstddef>

namespace bsl::heap
{

/// Asks whoever found bins of nullptr.  True: only this file can serve.  Otherwise nothing but the first
/// thread's initialisation is missing, and the bins are no_bins from now on.
bool is_early();

/// `alignment` is a power of two.  nullptr when there is no memory, without errno, which is
/// out of reach.
void* early_alloc(std::size_t size, std::size_t alignment);

/// As realloc(), while is_early().
void* early_realloc(void* p, std::size_t size);

/// Usable bytes of what early_alloc() gave; 0 for any other address.  At any time.
std::size_t early_size(const void* p);

} // namespace bsl::heap
