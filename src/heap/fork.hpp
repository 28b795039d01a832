#pragma once

/// fork() in a program whose other threads allocate at that moment.
///
/// Before: every lock is taken in rank order and frozen, so that no structure is half changed when
/// the child's copy is made.  After: the parent thaws them; the child, alone with its one thread,
/// resets them and makes orphans of what the other threads had.
///
/// Handlers of other libraries may allocate between our handlers and the fork itself: mutex.hpp says
/// how.

namespace bsl
{

void set_up_fork();

} // namespace bsl
