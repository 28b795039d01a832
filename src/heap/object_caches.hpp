#pragma once

/// The program's object caches: what kmem_cache_alloc and kmem_cache_free mean.
///
///     alloc   bin > [slow] barn > slabs > a new slab > room is made > limit, or ENOMEM
///     free    is the object this cache's? > bin > [slow] barn, slabs
///
/// The hit paths are those of malloc, the class taken from the cache.  free compares it with that of the
/// object's page, since an object of another cache must not get into a bin of this one: it would be
/// handed out again before anybody looks.  Of caches beyond the near ones every hit takes the slow way.

#include "arena/class_map.hpp"
#include "heap/registry.hpp"

namespace bsl::heap
{

/// `zeros`: known to be all zeros.  nullptr with errno = ENOMEM.
[[gnu::noinline]] void* cache_alloc_slow(const program_cache& cache, bool& zeros) noexcept;
/// Neither waits nor enters the kernel; nullptr, and errno is left alone, where nothing lies at hand.
void* cache_alloc_atomic(const program_cache& cache) noexcept;
[[gnu::noinline]] void cache_free_slow(const program_cache& cache, void* object) noexcept;

[[gnu::always_inline]] inline void* cache_alloc(const program_cache& cache) noexcept
{
    // There is a cache, so the library is set up, and this thread has bins, if only no_bins.
    if (void* object = this_thread.bins->of_class[cache.map_class()].pop()) [[likely]]
        return object;
    bool zeros = false;
    return cache_alloc_slow(cache, zeros);
}

[[gnu::always_inline]] inline void cache_free(const program_cache& cache, void* object) noexcept
{
    if (!page_classes.covers(object)) [[unlikely]]
        return cache_free_slow(cache, object);
    const std::size_t map_class = page_classes.lookup_covered(object);
    // Cast: compare with the byte in memory.
    if (static_cast<std::uint8_t>(map_class) != cache.map_class()) [[unlikely]]
        return cache_free_slow(cache, object);
    // An object is there to be freed, so this thread has bins, if only no_bins.
    if (!this_thread.bins->of_class[map_class].push(object)) [[unlikely]]
        cache_free_slow(cache, object);
}

/// Up to `nr` objects, from where there is no need to wait for anybody; returns how many.
std::size_t cache_alloc_some(const program_cache& cache, std::size_t nr, void** objects) noexcept;

/// cache_free() for each of them.
void cache_free_bulk(const program_cache& cache, std::size_t nr, void* const* objects) noexcept;

/// Objects of the cache that the program has.  Exact while nobody else uses it.
std::size_t nr_objects_out(const program_cache& cache);

/// Closes a handle.  False: objects are still out; they have been reported, and the cache is as it was.
bool close_cache(program_cache& cache);

/// Gives back what nobody uses.
void shrink_cache(const program_cache& cache);

} // namespace bsl::heap
