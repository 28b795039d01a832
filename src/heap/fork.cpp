#include "heap/fork.hpp"

#include "arena/arena.hpp"
#include "base/init.hpp"
#include "buddy/reclaim.hpp"
#include "buddy/zone_table.hpp"
#include "heap/private_heap.hpp"
#include "heap/registry.hpp"
#include "heap/shrinkers.hpp"
#include "host/thread.hpp"
#include "vmalloc/cma.hpp"
#include "vmalloc/vmalloc.hpp"

namespace bsl
{

namespace
{

/// One fork at a time.
constinit mutex fork_lock{lock_rank::fork};

/// Calls fn(kmem_cache_node&) for every node of every cache.
template <typename Fn>
void for_each_node(Fn fn)
{
    const auto visit = [&fn](const kmem_cache& cache) {
        for (unsigned shard = 0; shard < nr_shards(); ++shard) {
            if (kmem_cache_node* node = cache.node(shard))
                fn(*node);
        }
    };
    for (const kmem_cache& cache : all_caches)
        visit(cache);
    for_each_program_cache(visit);
}

/// Calls fn(private_heap&) for each descriptor there is, while heaps_lock is frozen, or there is one thread.
template <typename Fn>
void for_each_frozen_heap(Fn fn) BSL_TSA(no_thread_safety_analysis)
{
    heap::for_each_private_heap(fn);
}

/// Calls fn(mutex&) for every lock after the private heaps', in rank order.  The registry's lists stand
/// still meanwhile: its lock is frozen first and thawed last.
template <typename Fn>
void for_each_later_lock(Fn fn) BSL_TSA(no_thread_safety_analysis)
{
    for_each_thread_heap([&fn](thread_heap& heap) { fn(heap.lock); });
    fn(direct_lock);
    fn(cma_lock);
    fn(moving_lock);
    fn(vmalloc_lock);
    for_each_node([&fn](kmem_cache_node& node) { fn(node.lock); });
    for_each_node([&fn](kmem_cache_node& node) { fn(node.sheaves.lock); });
    fn(placing_lock);
    for_each_zone([&fn](zone& z) { fn(z.lock); });
    fn(arena_lock);
}

/// Of private heaps those that are in use: nobody takes the lock of another, and nobody but this thread
/// makes or destroys one from now on.
void freeze_private_heaps()
{
    heap::heaps_lock.freeze();
    for_each_frozen_heap([](heap::private_heap& heap) {
        if (heap.handle.load(std::memory_order_relaxed) != 0)
            heap.lock.freeze();
    });
}

void before_fork()
{
    fork_lock.freeze();
    mutex::set_fork_owner(host::thread_pointer());
    registry_lock.freeze();
    caches_lock.freeze();
    freeze_private_heaps();
    for_each_later_lock([](mutex& lock) { lock.freeze(); });
}

void after_fork_in_parent()
{
    for_each_later_lock([](mutex& lock) { lock.thaw(); });
    for_each_frozen_heap([](heap::private_heap& heap) { heap.lock.thaw(); });
    heap::heaps_lock.thaw();
    caches_lock.thaw();
    registry_lock.thaw();
    mutex::set_fork_owner(0);
    fork_lock.thaw();
}

void after_fork_in_child()
{
    for_each_later_lock([](mutex& lock) { lock.reset_in_child(); });
    for_each_frozen_heap([](heap::private_heap& heap) { heap.lock.reset_in_child(); });
    heap::heaps_lock.reset_in_child();
    caches_lock.reset_in_child();
    registry_lock.reset_in_child();
    mutex::set_fork_owner(0);
    fork_lock.reset_in_child();
    for_each_zone(adopt_isolated_pages);
    orphan_other_threads();
    heap::reset_shrinkers_in_child();
}

} // namespace

BSL_INIT void set_up_fork()
{
    host::install_fork_hooks(before_fork, after_fork_in_parent, after_fork_in_child);
}

} // namespace bsl
