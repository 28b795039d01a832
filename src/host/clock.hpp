#pragma once

/// Time since an arbitrary start, cheap and coarse (a few milliseconds).

#include <cstdint>

namespace bsl::host
{

std::uint64_t coarse_milliseconds();

} // namespace bsl::host
