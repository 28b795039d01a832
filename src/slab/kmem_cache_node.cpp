/*
 * Nodes: what a shard has of a cache, made when the shard first uses it, and kept.
 *
 * They lie in slabs like all else, so that a size can be used for the first time when the system has no more
 * memory but pages are free.  Those slabs are all of the first shard, and its own node, the one that cannot
 * lie in them, is made with the first object of the process.
 */
#include "arena/memblock.hpp"
#include "slab/kmem_cache.hpp"
#include "slab/program_cache.hpp"

#include <new>

namespace bsl
{

namespace
{

/// A shard's node of a cache, made when first used.
constinit std::atomic<kmem_cache_node*> nodes[nr_shards_max][nr_caches];

} // namespace

std::atomic<kmem_cache_node*>& kmem_cache::node_slot(unsigned shard) const
{
    if (number_ < nr_caches) [[likely]]
        return nodes[shard][number_];
    return to_program_cache(*this).nodes[shard];
}

kmem_cache_node* kmem_cache::node(unsigned shard) const
{
    return node_slot(shard).load(std::memory_order_acquire);
}

bool kmem_cache::is_of_nodes() const
{
    return this == &cache_for(own_cache::node);
}

kmem_cache_node* kmem_cache::make_node(unsigned shard) const
{
    if (kmem_cache_node* existing = node(shard))
        return existing;
    void* at = alloc_node();
    if (at == nullptr)
        return nullptr;
    auto* made = new (at) kmem_cache_node;
    kmem_cache_node* expected = nullptr;
    if (node_slot(shard).compare_exchange_strong(expected, made, std::memory_order_acq_rel))
        return made;
    if (!is_of_nodes())
        cache_for(own_cache::node).free_one(made);
    return expected;
}

void* kmem_cache::alloc_node() const
{
    constexpr unsigned first_shard = 0;
    if (is_of_nodes())
        return memblock_alloc(sizeof(kmem_cache_node));
    void* at = nullptr;
    page_use use;
    return cache_for(own_cache::node).refill(nullptr, first_shard, &at, 1, use) != 0 ? at : nullptr;
}

constinit const node_table* const node_table_at = &nodes;

} // namespace bsl
