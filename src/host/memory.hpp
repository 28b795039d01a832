#pragma once

/// Reading memory that may not be there.

#include <cstddef>
#include <cstdint>

namespace bsl::host
{

/// Copies memory of this process without a fault if a part of it is not mapped, or is being changed.
/// False then, and where a sandbox forbids the system call.  Usable in a signal handler.
bool read_own_memory(std::uintptr_t from, void* to, std::size_t size);

} // namespace bsl::host
