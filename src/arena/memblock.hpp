#pragma once

/// Memory for the allocator's own tables that are never freed, as the kernel's memblock: sections, zones,
/// and what describes caches, private heaps and reserves of the program's.  Everything else of ours lives
/// in slabs like the user's objects.

#include <atomic>
#include <cstddef>

namespace bsl
{

/// Zeroed memory, aligned to a cache line.  nullptr when the system has none.  Any thread; takes no
/// lock (a bump pointer moved by compare-and-swap).
void* memblock_alloc(std::size_t size);

/// Bytes taken from the system so far.
std::size_t memblock_mapped();

/// Where that number lies, for readers of this process's memory (heap/root.hpp).
extern const std::atomic<std::size_t>* const memblock_mapped_at;

} // namespace bsl
