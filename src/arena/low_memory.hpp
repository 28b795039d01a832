#pragma once

/// Arenas at low addresses, for zones that promise them.
///
/// Where low addresses are free cannot be asked for cheaply; it is tried out, from the limit downwards,
/// a pageblock at a time: the kernel maps memory at an address or refuses (MAP_FIXED_NOREPLACE).  Far
/// from the start, where the program and its break lie if it is not position independent.

#include <cstddef>
#include <cstdint>

namespace bsl
{

/// Addresses below this fit in 32 bits.
inline constexpr std::uint64_t low_memory_end = std::uint64_t{1} << 32;

/// Fresh memory that ends at `limit` or before it, at the highest free address.  nullptr: there is none.
char* map_below(std::uint64_t limit, std::size_t size, std::size_t alignment);

/// Adds an arena to a zone of low memory, on a node: as large as all it has, or half of that and so on, at least
/// a pageblock.  False when no free addresses are left, or no memory.  No lock may be held.
bool grow_low_memory(std::uint8_t zone, unsigned node);

} // namespace bsl
