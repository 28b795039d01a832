#pragma once

/// Time as the commands use it: seconds.

namespace bsl::tool
{

/// Since some moment in the past.
double now();

/// Ends early if a signal comes.
void wait(double seconds);

} // namespace bsl::tool
