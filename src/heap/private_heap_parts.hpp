#pragma once

/// Parts of private heaps, for private_heap*.cpp alone: the limit, runs of pages, windows.  Whoever frees or
/// resizes has found out that it is one of this heap.

#include "heap/private_heap.hpp"

namespace bsl::heap
{

/// What a request is worth: all that can be given up for it, or only what is there.
enum class effort
{
    all,
    little,
};

// --- the limit ---------------------------------------------------------------------------------

/// Takes bytes out of the limit.  Heap's lock held.
bool try_charge(private_heap& heap, std::size_t bytes);

/// The same.  Before the limit is reached slabs without objects go, and the program's shrinkers are asked.
/// False with errno = ENOMEM.
bool charge(private_heap& heap, std::size_t bytes, effort how);

void uncharge(private_heap& heap, std::size_t bytes);

// --- slabs -------------------------------------------------------------------------------------

/// Of every class; were there any?
bool give_back_empty_slabs(private_heap& heap);

// --- runs of pages -----------------------------------------------------------------------------

/// `order`: aligned to so many pages.  nullptr with errno = ENOMEM.
void* alloc_run(private_heap& heap, std::size_t size, unsigned order, bool zeroed, effort how);
void free_run(private_heap& heap, const void* p, page& head, const char* call);

/// Makes a run larger or smaller where it is.  False: it is as before.
bool resize_run(private_heap& heap, page& head, std::size_t size);

// --- windows -----------------------------------------------------------------------------------

/// nullptr with errno = ENOMEM.
void* alloc_from_window(private_heap& heap, std::size_t size, std::size_t alignment, bool zeroed,
                        effort how);
void free_window(private_heap& heap, void* p, vm_area& window, const char* call);

/// Makes a window larger or smaller; nullptr: it is as before.
void* resize_window(private_heap& heap, vm_area& window, std::size_t size);

} // namespace bsl::heap
