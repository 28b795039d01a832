#pragma once

/// Messages about mistakes with private heaps: as slab/misuse.hpp, with the heap's name.

#include "heap/allocation.hpp"
#include "heap/private_heap.hpp"

namespace bsl::heap
{

[[noreturn, gnu::cold]] void report_double_free(const char* call, const void* p, const page& head,
                                                unsigned index);

/// p lies inside of an object of a slab, or behind the last one.
[[noreturn, gnu::cold]] void report_not_start(const char* call, const void* p, const page& head,
                                              const heap_object& at);

/// p lies in a run of pages of a heap, but not at its start.
[[noreturn, gnu::cold]] void report_inside_heap_run(const char* call, const void* p,
                                                    const page& head);

[[noreturn, gnu::cold]] void report_wrong_heap(const char* call, const void* p, std::uint32_t is_of,
                                               const private_heap& given_to);

/// It is malloc's, or of one of the program's caches.
[[noreturn, gnu::cold]] void report_not_of_heap(const char* call, const void* p,
                                                const allocation& what, const private_heap& heap);

} // namespace bsl::heap
