#pragma once

/// What must hold of the whole heap: at any time, and when nobody uses it any more.

namespace test
{

/// Every validate() there is: zone, caches, windows.  Needs check level 2.  No other thread may be
/// inside the heap; see validate_while_busy().
void validate_everything();

/// What may be validated while other threads allocate: the same, by parts, each under its own lock.
void validate_while_busy();

/// Aborts with a message unless the books balance.  The program holds no object, no other thread has
/// a heap, trim(0) has just been called:
///
///     every size class     no slab, and so no object
///     sheaves              none in use
///     thread heaps         those of the live threads
///     windows              none, live or cached
///     pages                all free but those of the slabs of our own caches
void check_books_balance();

/// Aborts unless every page that is not free belongs to a slab or to a thread's page list.  There is no
/// window and no run.
void check_pages_are_accounted_for();

/// Prints a message and aborts.
[[noreturn, gnu::format(printf, 1, 2)]] void fail(const char* format, ...);

} // namespace test
