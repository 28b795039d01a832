#pragma once

/// Time as the commands use it, in seconds; and what ends it early: signals that ask a program to end.

namespace bsl::tool
{

/// Since some moment in the past.
double now();

/// From here on, signals that ask to end (^C, and a terminal's end, too) only make interrupted() true.
/// Those that were ignored stay so.
void catch_interrupts();
bool interrupted();

/// Ends early if a signal comes, also one that came just before.
void wait(double seconds);
/// The same; also when there is something to read.  Is there?
bool wait_for_input(int fd, double seconds);

} // namespace bsl::tool
