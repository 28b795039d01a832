#pragma once

/// Time since an arbitrary start: cheap and coarse (a few milliseconds), or fine.

#include <cstdint>

namespace bsl::host
{

std::uint64_t coarse_milliseconds();
std::uint64_t nanoseconds();

} // namespace bsl::host
