/*
 * A thread's caches where the machine has several memory nodes.
 *
 * malloc and free themselves do not ask where an object is: what a thread frees goes to its bin, whosever
 * it is, and may be handed out again from there.  It is sorted in the slow paths:
 *
 *     a sheaf is full             objects of other nodes go back to their slabs, the others stay
 *     the thread has moved        full sheaves, large objects and pages of the old node go back
 *     the bin is empty            sheaves, slabs and pages of this node
 *
 * So a thread holds at most what its bins hold of another node.  (The kernel's sheaves take no remote
 * object in the first place: it asks at each free.)
 */
#include "heap/thread_heap.hpp"

namespace bsl
{

/// Puts what is local to the front; returns how many are.
unsigned sort_by_node(void** objects, unsigned n, unsigned node, unsigned (*node_of_one)(void*))
{
    unsigned nr_local = 0;
    for (unsigned i = 0; i < n; ++i) {
        if (node_of_one(objects[i]) != node)
            continue;
        void* const local = objects[i];
        objects[i] = objects[nr_local]; // the order of the others does not matter
        objects[nr_local++] = local;
    }
    return nr_local;
}

bool thread_heap::send_home(const kmem_cache& cache, sheaf& s)
{
    void* objects[sheaf_capacity_max];
    const unsigned n = empty(s, objects, cache.sheaf_capacity());
    const unsigned kept =
        sort_by_node(objects, n, current_node(), [](void* p) { return node_of(p); });
    if (kept != 0)
        fill(s, objects, kept);
    if (kept == n)
        return false;
    cache.flush(&pages_, objects + kept, n - kept);
    flushed_bytes_ += (n - kept) * cache.size();
    return true;
}

void thread_heap::follow(unsigned node)
{
    if (node == node_)
        return;
    node_ = static_cast<std::uint8_t>(node);
    drain_large();
    drain_stacks();
}

} // namespace bsl
