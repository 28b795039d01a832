/*
 * How what threads keep goes back to the slabs: what is idle when the heap grows, all of it when the thread ends
 * or memory is short, and from outside.
 *
 * All of it runs under a thread's lock, or direct_lock where there is no thread: on its way to a slab a sheaf is
 * in no list, and a fork is not to meet it there.
 *
 * Nor is somebody who closes one of the program's caches: what is on its way would look like a leak, and a slab that
 * leaves after its cache would be counted off the next one in the slot.  The way from a bin is behind a thread's lock,
 * which the closer takes of each heap in turn; that from a barn is behind caches_lock, which here stands for direct_lock.
 */
#include "heap/registry.hpp"

namespace bsl
{

void thread_heap::drain_bin(const kmem_cache& cache, bin& from)
{
    if (sheaf* s = detach(from)) {
        flush(cache, *s);
        put_spare(s);
    }
}

void thread_heap::drain_stack(unsigned size_class)
{
    while (sheaf* s = pop_full(size_class)) {
        flush(kmalloc_cache(size_class), *s);
        cache_for(own_cache::sheaf).free_one(s);
    }
}

void thread_heap::drain_spares(unsigned keep)
{
    void* empty[sheaf_capacity_max];
    while (spare_.size() > keep) {
        unsigned n = 0;
        while (n < sheaf_capacity_max && spare_.size() > keep)
            empty[n++] = spare_.pop();
        cache_for(own_cache::sheaf).flush(nullptr, empty, n);
    }
}

void thread_heap::give_up_idle()
{
    mutex_guard guard(lock);
    for (unsigned c = 1; c < nr_slab_classes; ++c) {
        if (!was_refilled_.test(c))
            drain_stack(c);
        bin& mine = bins_.of_class[c];
        if (mine.position() == position_before_[c])
            drain_bin(kmalloc_cache(c), mine);
        position_before_[c] = static_cast<std::uint8_t>(mine.position());
    }
    was_refilled_ = {};
    drain_spares(thread_spares_min);
}

void thread_heap::drain_idle_barns()
{
    mutex_guard guard(lock);
    for (unsigned c = 1; c < nr_slab_classes; ++c)
        kmalloc_cache(c).drain_sheaves(true);
}

void thread_heap::drain_stacks()
{
    for (unsigned c = 1; c < nr_slab_classes; ++c)
        drain_stack(c);
    drain_spares(0);
    pages_.drain();
}

void thread_heap::drain()
{
    mutex_guard guard(lock);
    for (unsigned c = 1; c < nr_slab_classes; ++c)
        drain_bin(kmalloc_cache(c), bins_.of_class[c]);
    drain_programs();
    drain_large();
    drain_frames();
    drain_stacks();
}

void thread_heap::drain_to_bins()
{
    mutex_guard guard(lock);
    drain_large();
    drain_frames();
    drain_stacks();
}

void thread_heap::drain_from_outside()
{
    mutex_guard guard(lock);
    steal_programs();
    large_.steal([this](page& head) { flush_large(head); });
    drain_stacks();
    steal_frames();
    steal(bins_.of_class, [this](unsigned map_class, void* const* objects, unsigned n) {
        cache_of_map_class(map_class).flush(&pages_, objects, n);
    });
    pages_.drain();
}

void drain_barns()
{
    const auto drain = [](const kmem_cache& cache, mutex& lock) {
        mutex_guard guard(lock); // cache by cache: others wait for it
        cache.drain();
    };
    for (unsigned c = 1; c < nr_slab_classes; ++c)
        drain(kmalloc_cache(c), direct_lock);
    for_each_program_cache([drain](const program_cache& cache) { drain(cache, caches_lock); });
    drain(cache_for(own_cache::sheaf), direct_lock);
}

} // namespace bsl
