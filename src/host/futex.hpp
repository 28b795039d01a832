#pragma once

/// Sleeping until a word changes: the kernel's futex, process-private.

#include <atomic>
#include <cstdint>

namespace bsl::host
{

/// Sleeps while word == expected; may wake up for no reason.
void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected);

/// Wakes at most `count` sleepers.
void futex_wake(std::atomic<std::uint32_t>& word, int count);

} // namespace bsl::host
