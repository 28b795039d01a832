/*
 * Shards: which there are, and which one serves a thread.
 *
 *     one node       shard = processor modulo 16 or the number of processors
 *     several        shard s belongs to node s % nr_nodes(); each node has as many
 */
#include "host/sysinfo.hpp"
#include "host/thread.hpp"
#include "slab/kmem_cache.hpp"

#include <atomic>

namespace bsl
{

namespace
{

constinit std::atomic<unsigned> shards_in_use{0};
constinit std::atomic<unsigned> shards_of_cpus{0}; ///< the same with one node; 0: not so simple

} // namespace

unsigned nr_shards()
{
    const unsigned known = shards_in_use.load(std::memory_order_relaxed);
    if (known != 0) [[likely]]
        return known;
    const unsigned cpus = host::nr_cpus();
    const unsigned shards = cpus < nr_plain_shards_max ? cpus : nr_plain_shards_max;
    shards_in_use.store(shards, std::memory_order_relaxed);
    return shards;
}

namespace
{

unsigned find_shard(unsigned cpu)
{
    const unsigned nr = nr_shards();
    if (nr_nodes() == 1) {
        shards_of_cpus.store(nr, std::memory_order_relaxed);
        return cpu % nr;
    }
    // Some machines count processors node by node, others deal them out: either way they are spread.
    const unsigned of_node = nr / nr_nodes();
    return node_of_cpu(cpu) + nr_nodes() * ((cpu + cpu / nr_nodes()) % of_node);
}

} // namespace

unsigned current_shard()
{
    const unsigned cpu = host::current_cpu();
    const unsigned nr = shards_of_cpus.load(std::memory_order_relaxed);
    return nr != 0 ? cpu % nr : find_shard(cpu);
}

void set_up_shards()
{
    if (nr_nodes() == 1)
        return;
    shards_of_cpus.store(0, std::memory_order_relaxed);
    const unsigned of_node = (nr_shards() + nr_nodes() - 1) / nr_nodes();
    shards_in_use.store(of_node * nr_nodes(), std::memory_order_relaxed);
}

} // namespace bsl
