#pragma once

/// malloc as glibc defines it, on slabs and windows.
///
///     up to 1 KiB       this file: pop from the bin of the class, push to it
///     up to 32 KiB      the same, the class takes more arithmetic
///     up to 4 MiB       an object with a slab of its own
///     above             a window of vmalloc
///
/// The fast paths are inline, and call nothing but their slow twin in tail position: they need no
/// stack frame.  Everything after a miss is in heap.cpp.
///
/// `call` is the name of the entry point, for messages about misuse.

#include "arena/class_map.hpp"
#include "heap/registry.hpp"

#include <atomic>
#include <cstddef>

namespace bsl::heap
{

/// nullptr with errno = ENOMEM when there is no memory.  Alignment is 16, always.
[[gnu::noinline]] void* malloc_slow(std::size_t size) noexcept;
[[gnu::noinline, gnu::aligned(cache_line_size)]] void* malloc_medium(std::size_t size) noexcept;
[[gnu::noinline]] void free_slow(void* p, std::size_t size_class) noexcept;

[[gnu::always_inline]] inline void* malloc(std::size_t size) noexcept
{
    if (size > small_size_max) [[unlikely]]
        return malloc_medium(size);
    thread_bins* mine = this_thread.bins;
    if (mine == nullptr) [[unlikely]]
        return malloc_slow(size);
    // A size of 0 lands in the dummy bin of class 0.
    bin& from = mine->of_class[(size + malloc_alignment - 1) / malloc_alignment];
    if (void* object = from.pop()) [[likely]]
        return object;
    return malloc_slow(size);
}

[[gnu::always_inline]] inline void free(void* p) noexcept
{
    const class_map& classes = in_register(page_classes);
    if (!classes.covers(p)) [[unlikely]]
        return free_slow(p, 0);
    const std::size_t size_class = classes.lookup_covered(p); // 0 leads to the dummy bin
    // An object is there to be freed, so this thread has bins, if only no_bins.
    if (this_thread.bins->of_class[size_class].push(p)) [[likely]]
        return;
    free_slow(p, size_class);
}

/// nr * size bytes of zeros; ENOMEM also when the product overflows.
void* calloc(std::size_t nr, std::size_t size) noexcept;

/// As glibc: realloc(nullptr, n) is malloc(n), realloc(p, 0) frees and returns nullptr.
void* realloc(void* p, std::size_t size, const char* call) noexcept;

/// `alignment` is a power of two.  nullptr with errno = ENOMEM when there is no memory.
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept;

/// The same, but errno stays.
void* aligned_alloc_quietly(std::size_t alignment, std::size_t size) noexcept;

/// Bytes that may be used at p; 0 for nullptr.
std::size_t usable_size(const void* p, const char* call) noexcept;

/// free() for the rarer entry points: the same, with their name in messages.
void free_for(void* p, const char* call) noexcept;

/// malloc() for callers that must neither wait nor enter the kernel, signal handlers included: sizes up
/// to slab_size_max.  nullptr, and errno is left alone, where nothing lies at hand.
void* malloc_atomic(std::size_t size) noexcept;

/// Gives back to the system all that no program uses, but about `keep` bytes.  True if anything was.
bool trim(std::size_t keep) noexcept;

} // namespace bsl::heap
