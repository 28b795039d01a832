#pragma once

/// The paths behind the entry points of malloc, for the files that have entry points: heap.cpp and
/// realloc.cpp.  None of them counts a call, and only out_of_memory() sets errno.

#include "heap/allocation.hpp"
#include "heap/thread_heap.hpp"

namespace bsl::heap
{

/// nullptr, with errno = ENOMEM.
void* out_of_memory();

/// Any size.  `zeros`: known to be all zeros.
void* allocate(std::size_t size, bool& zeros);

/// An object with a slab of its own.
void* alloc_large(const kmem_cache& cache, single_request wanted, bool& zeros);

/// Frees what resolve() has found to be in order.
void free_allocation(void* p, const allocation& what, const char* call);

} // namespace bsl::heap
