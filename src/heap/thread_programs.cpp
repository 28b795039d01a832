/*
 * A thread's bins of the program's caches.
 *
 * They work as those of malloc's classes, but for the stack of full sheaves that a thread keeps of
 * those: a barn is one lock further away, and there may be hundreds of caches.
 */
#include "heap/thread_heap.hpp"

#include <new>

namespace bsl
{

/// Makes the chunk that the bin of a cache is in; nullptr without memory.
bin* thread_heap::make_bin(const program_cache& cache)
{
    void* at = cache_for(own_cache::sheaf).alloc_one();
    if (at == nullptr)
        return nullptr;
    auto* chunk = new (at) bin_chunk;
    bins_.far[far_chunk(cache.slot())].store(chunk, std::memory_order_release);
    return bins_.of_program(cache);
}

// --- draining ----------------------------------------------------------------------------------

void thread_heap::drain_cache(const program_cache& cache)
{
    mutex_guard guard(lock);
    if (bin* mine = bins_.of_program(cache))
        drain_bin(cache, *mine);
}

/// Asks a cache for nothing before there is a sheaf of it: who closed one has taken those out, so that the cache of a
/// sheaf is neither closed nor in the making.
void thread_heap::drain_programs()
{
    for (unsigned slot = 0; slot < nr_program_caches_max; ++slot) {
        bin* mine = bins_.of_slot(slot);
        if (mine != nullptr && mine->has_sheaf())
            drain_bin(cache_numbered(nr_caches + slot), *mine);
    }
    for (auto& slot : bins_.far) {
        if (bin_chunk* chunk = slot.exchange(nullptr, std::memory_order_relaxed))
            cache_for(own_cache::sheaf).free_one(chunk);
    }
}

/// From those that are not near ones; one barrier for all caches of a chunk.
void thread_heap::steal_programs()
{
    for (unsigned c = 0; c < nr_far_chunks; ++c) {
        bin_chunk* chunk = bins_.far[c].load(std::memory_order_relaxed);
        if (chunk == nullptr)
            continue;
        steal(chunk->of_cache, [this, c](unsigned i, void* const* objects, unsigned n) {
            cache_numbered(nr_caches + nr_near_caches + c * bin_chunk::nr + i)
                .flush(&pages_, objects, n);
        });
    }
}

std::size_t thread_heap::nr_cached_of(const program_cache& cache)
{
    mutex_guard guard(lock);
    const bin* mine = bins_.of_program(cache);
    if (mine == nullptr)
        return 0;
    std::size_t n = 0;
    const object_slot* at = mine->top.load(std::memory_order_acquire);
    while ((--at)->load(std::memory_order_relaxed) != nullptr)
        ++n;
    return n;
}

} // namespace bsl
