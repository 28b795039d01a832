/*
 * A thread's part in the program's caches: one sheaf in a bin, exchanged with the barn as a whole.
 *
 *     bin (one sheaf) <-> barn <-> slabs
 *
 * As malloc's classes, but for the stack of full sheaves that a thread keeps of those: a barn is one
 * lock further away, and there may be hundreds of caches.
 */
#include "heap/thread_heap.hpp"
#include "host/thread.hpp"

#include <new>

namespace bsl
{

namespace
{

/// A full sheaf of any barn, this shard's first; takes `spent` in exchange where it can.
sheaf* take_full(const kmem_cache& cache, unsigned shard, sheaf*& spent)
{
    for (unsigned i = 0; i < nr_shards(); ++i) {
        kmem_cache_node* node = cache.node((shard + i) % nr_shards());
        if (node == nullptr || !node->sheaves.has_full())
            continue;
        if (sheaf* full = node->sheaves.exchange_for_full(spent))
            return full;
    }
    return nullptr;
}

} // namespace

/// The bin of a cache, and the chunk that it is in; nullptr without memory.
bin* thread_heap::bin_for(const program_cache& cache)
{
    if (bin* mine = bins_.of_slot(cache.slot()))
        return mine;
    void* at = cache_for(own_cache::sheaf).alloc_one();
    if (at == nullptr)
        return nullptr;
    auto* chunk = new (at) bin_chunk;
    bins_.of_program[cache.slot() / bin_chunk::nr].store(chunk, std::memory_order_release);
    return bins_.of_slot(cache.slot());
}

void* thread_heap::alloc_from(const program_cache& cache, bool& zeros)
{
    zeros = false;
    mutex_guard guard(lock);
    void* objects[sheaf_capacity_max];
    bin* mine = cache.is_single() ? nullptr : bin_for(cache);
    if (mine == nullptr) {
        const refill_result got = cache.refill(&pages_, current_shard(), objects, 1);
        zeros = got.all_zeros;
        return got.count == 0 ? nullptr : objects[0];
    }
    if (void* object = mine->pop())
        return object;
    const unsigned shard = current_shard();
    sheaf* spent = detach(*mine);
    if (sheaf* full = take_full(cache, shard, spent)) {
        put_spare(spent);
        attach(*mine, *full);
        return mine->pop();
    }
    if (spent == nullptr)
        spent = take_spare();
    const unsigned room = capacity_now(cache);
    const unsigned want = spent == nullptr ? 1 : refill_count(cache, room);
    const refill_result got = cache.refill(&pages_, shard, objects, want);
    zeros = got.all_zeros;
    if (spent != nullptr) {
        reset(*spent, room);
        if (got.count > 1)
            fill(*spent, objects + 1, got.count - 1);
        attach(*mine, *spent);
    }
    return got.count == 0 ? nullptr : objects[0];
}

/// A full sheaf leaves the thread; `room` becomes an empty one if there is one.
void thread_heap::put_away(const program_cache& cache, sheaf& s, sheaf*& room)
{
    kmem_cache_node* node = cache.node(current_shard());
    if (node != nullptr && node->sheaves.put_full(s, barn_room(cache), room))
        return;
    flush(cache, s);
    room = &s;
}

void thread_heap::free_to(const program_cache& cache, void* object)
{
    mutex_guard guard(lock);
    bin* mine = cache.is_single() ? nullptr : bin_for(cache);
    if (mine == nullptr)
        return cache.flush(&pages_, &object, 1);
    if (mine->push(object))
        return;
    sheaf* room = nullptr;
    if (sheaf* full = detach(*mine))
        put_away(cache, *full, room);
    if (room == nullptr)
        room = take_spare();
    if (room == nullptr)
        return cache.flush(&pages_, &object, 1);
    reset(*room, capacity_now(cache));
    attach(*mine, *room);
    mine->push(object);
}

// --- draining ----------------------------------------------------------------------------------

void thread_heap::drain_bin(const kmem_cache& cache, bin& from)
{
    if (sheaf* s = detach(from)) {
        flush(cache, *s);
        put_spare(s);
    }
}

void thread_heap::drain_cache(const program_cache& cache)
{
    mutex_guard guard(lock);
    if (bin* mine = bins_.of_slot(cache.slot()))
        drain_bin(cache, *mine);
}

void thread_heap::drain_programs()
{
    for_each_program_cache([this](program_cache& cache) BSL_TSA(no_thread_safety_analysis) {
        if (bin* mine = bins_.of_slot(cache.slot()))
            drain_bin(cache, *mine);
    });
    for (auto& slot : bins_.of_program) {
        if (bin_chunk* chunk = slot.exchange(nullptr, std::memory_order_relaxed))
            cache_for(own_cache::sheaf).free_one(chunk);
    }
}

/// One barrier for all caches of a chunk.
void thread_heap::steal_programs()
{
    for (unsigned c = 0; c < nr_program_caches_max / bin_chunk::nr; ++c) {
        bin_chunk* chunk = bins_.of_program[c].load(std::memory_order_relaxed);
        if (chunk == nullptr)
            continue;
        theft thefts[bin_chunk::nr];
        bool begun[bin_chunk::nr] = {};
        bool any = false;
        for (unsigned i = 0; i < bin_chunk::nr; ++i) {
            begun[i] = thefts[i].begin(chunk->of_cache[i]);
            any |= begun[i];
        }
        const bool ordered = any && host::memory_barrier_everywhere();
        for (unsigned i = 0; i < bin_chunk::nr; ++i) {
            void* objects[sheaf_capacity_max];
            const unsigned n = !begun[i] ? 0
                               : ordered ? thefts[i].finish(objects)
                                         : thefts[i].undo();
            if (n != 0)
                cache_numbered(nr_caches + c * bin_chunk::nr + i).flush(&pages_, objects, n);
        }
    }
}

std::size_t thread_heap::nr_cached_of(const program_cache& cache)
{
    mutex_guard guard(lock);
    const bin* mine = bins_.of_slot(cache.slot());
    if (mine == nullptr)
        return 0;
    std::size_t n = 0;
    const object_slot* at = mine->top.load(std::memory_order_acquire);
    while ((--at)->load(std::memory_order_relaxed) != nullptr)
        ++n;
    return n;
}

} // namespace bsl
