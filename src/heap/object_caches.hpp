#pragma once

/// The program's object caches: what kmem_cache_alloc and kmem_cache_free mean.
///
///     alloc   bin > [slow] barn > slabs > a new slab > room is made > limit, or ENOMEM
///     free    is the object this cache's? > bin > [slow] barn, slabs
///
/// The hit paths are those of malloc with one more load for the bin.  free looks up the object's page
/// first, since an object of another cache must not get into a bin of this one: it would be handed out
/// again before anybody looks.

#include "arena/arena.hpp"
#include "arena/mem_section.hpp"
#include "heap/registry.hpp"

namespace bsl::heap
{

/// `zeros`: known to be all zeros.  nullptr with errno = ENOMEM.
[[gnu::noinline]] void* cache_alloc_slow(const program_cache& cache, bool& zeros) noexcept;
/// Neither waits nor enters the kernel; nullptr, and errno is left alone, where nothing lies at hand.
void* cache_alloc_atomic(const program_cache& cache) noexcept;
[[gnu::noinline]] void cache_free_slow(const program_cache& cache, void* object) noexcept;
[[noreturn, gnu::cold]] void report_not_of_cache(const program_cache& cache, const void* object);

/// This thread's bin of a cache; nullptr: none yet.
[[gnu::always_inline]] inline bin* this_thread_bin(const program_cache& cache)
{
    const thread_bins* mine = this_thread.bins;
    return mine != nullptr ? mine->of_slot(cache.slot()) : nullptr;
}

[[gnu::always_inline]] inline void* cache_alloc(const program_cache& cache) noexcept
{
    if (bin* mine = this_thread_bin(cache)) [[likely]] {
        if (void* object = mine->pop()) [[likely]]
            return object;
    }
    bool zeros = false;
    return cache_alloc_slow(cache, zeros);
}

[[gnu::always_inline]] inline void cache_free(const program_cache& cache, void* object) noexcept
{
    const pageblock* block = owner_of(object).block;
    if (block == nullptr || block->mem_map == nullptr) [[unlikely]]
        report_not_of_cache(cache, object);
    const page& of = page_of(*block, object);
    if (of.cache != cache.number() || of.state != page_state::slab) [[unlikely]]
        report_not_of_cache(cache, object);
    bin* mine = this_thread_bin(cache);
    if (mine == nullptr || !mine->push(object)) [[unlikely]]
        cache_free_slow(cache, object);
}

/// Objects of the cache that the program has.  Exact while nobody else uses it.
std::size_t nr_objects_out(const program_cache& cache);

/// Closes a handle.  False: objects are still out; they have been reported, and the cache is as it was.
bool close_cache(program_cache& cache);

/// Gives back what nobody uses.
void shrink_cache(const program_cache& cache);

} // namespace bsl::heap
