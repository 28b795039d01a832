#include "heap/registry.hpp"

#include "base/check.hpp"
#include "heap/calls.hpp"
#include "host/sysinfo.hpp"
#include "host/thread.hpp"

#include <new>

namespace bsl
{

constinit mutex registry_lock{lock_rank::registry};
constinit mutex direct_lock{lock_rank::thread};
constinit list_head live_heaps;
constinit list_head orphan_heaps;
thread_local constinit thread_state this_thread{};

namespace
{

constinit unsigned nr_heaps BSL_TSA(guarded_by(registry_lock)) = 0;
constinit unsigned nr_orphans BSL_TSA(guarded_by(registry_lock)) = 0;

constinit std::atomic<bool> is_open{false};

/// Many threads keep less each: together they keep what this many would.
void share_thread_cache() BSL_TSA(requires_capability(registry_lock))
{
    const std::size_t full_share = 2 * host::nr_cpus();
    set_crowd(nr_heaps <= full_share ? 1 : div_round_up(nr_heaps, full_share));
}

void add_live(thread_heap& heap) BSL_TSA(requires_capability(registry_lock))
{
    live_heaps.insert_back(heap.link);
    ++nr_heaps;
    share_thread_cache();
}

void remove_live(thread_heap& heap) BSL_TSA(requires_capability(registry_lock))
{
    list_head::remove(heap.link);
    --nr_heaps;
    share_thread_cache();
}

/// One whose thread ran on this memory node, or any_node.
thread_heap* take_orphan(int node) BSL_TSA(requires_capability(registry_lock))
{
    thread_heap* found = nullptr;
    list_for_each<thread_heap, &thread_heap::link>(orphan_heaps, [&](thread_heap& orphan) {
        if (found == nullptr && (node == any_node || orphan.node() == static_cast<unsigned>(node)))
            found = &orphan;
    });
    if (found == nullptr)
        return nullptr;
    list_head::remove(found->link);
    found->is_orphan = false;
    --nr_orphans;
    return found;
}

void add_orphan(thread_heap& heap) BSL_TSA(requires_capability(registry_lock))
{
    heap.is_orphan = true;
    orphan_heaps.insert_front(heap.link); // what was used last is in the cache
    ++nr_orphans;
}

/// An orphan with nothing in it any more.
thread_heap* take_empty_orphan()
{
    mutex_guard guard(registry_lock);
    thread_heap* orphan = take_orphan(any_node);
    if (orphan != nullptr)
        orphan->drain();
    return orphan;
}

/// The heap of a thread that ends becomes an orphan, if there are few.
bool leave_to_next(thread_heap& heap)
{
    mutex_guard guard(registry_lock);
    if (nr_orphans >= host::nr_cpus())
        return false;
    remove_live(heap);
    add_orphan(heap);
    return true;
}

void take_out(thread_heap& heap)
{
    mutex_guard guard(registry_lock);
    remove_live(heap);
}

/// One that is empty, and in no list.
void release(thread_heap* heap)
{
    heap->~thread_heap();
    mutex_guard guard(direct_lock);
    cache_for(own_cache::thread_heap).free_one(heap);
}

/// Runs at a thread's end; destructors that run later still malloc and free.
void thread_exit_hook(void* argument)
{
    auto* heap = static_cast<thread_heap*>(argument);
    this_thread.heap = nullptr;
    this_thread.ended = true;
    this_thread.bins = &no_bins;
    heap->drain_to_bins();
    if (leave_to_next(*heap))
        return;
    heap->drain();
    take_out(*heap);
    release(heap);
}

thread_heap* adopt_orphan()
{
    const auto node = static_cast<int>(current_node());
    mutex_guard guard(registry_lock);
    thread_heap* orphan = take_orphan(node);
    if (orphan != nullptr)
        add_live(*orphan);
    return orphan;
}

thread_heap* make_heap()
{
    thread_heap* made = nullptr;
    {
        mutex_guard guard(direct_lock);
        void* memory = cache_for(own_cache::thread_heap).alloc_one();
        if (memory == nullptr)
            return nullptr;
        made = new (memory) thread_heap;
    }
    mutex_guard guard(registry_lock);
    add_live(*made);
    return made;
}

thread_heap* attach_thread()
{
    thread_heap* heap = adopt_orphan();
    if (heap == nullptr)
        heap = make_heap();
    if (heap == nullptr)
        return nullptr;
    this_thread.heap = heap;
    this_thread.bins = heap::counts_calls() ? &no_bins : &heap->bins();
    // The host may allocate here: by now this thread has what it takes.
    if (!host::watch_thread_exit(heap)) {
        thread_exit_hook(heap);
        return nullptr;
    }
    return heap;
}

} // namespace

thread_heap* this_thread_heap()
{
    if (this_thread.heap != nullptr) [[likely]]
        return this_thread.heap;
    if (this_thread.ended || !is_open.load(std::memory_order_acquire))
        return nullptr;
    return attach_thread();
}

void open_registry()
{
    if (!host::install_thread_exit_hook(thread_exit_hook))
        return; // no key left: a heap whose thread ends unseen would be lost
    is_open.store(true, std::memory_order_release);
}

void drain_orphans()
{
    while (thread_heap* orphan = take_empty_orphan())
        release(orphan);
}

void drain_all_threads()
{
    VM_BUG_ON(!lockdep::holds_nothing());
    drain_orphans();
    thread_heap* mine = this_thread.heap;
    {
        mutex_guard guard(registry_lock);
        list_for_each<thread_heap, &thread_heap::link>(live_heaps, [mine](thread_heap& heap) {
            if (&heap != mine)
                heap.drain_from_outside();
        });
    }
    if (mine != nullptr)
        mine->drain();
    drain_barns();
}

void orphan_other_threads()
{
    mutex_guard guard(registry_lock);
    thread_heap* mine = this_thread.heap;
    while (list_head* node = live_heaps.front()) {
        list_head::remove(*node);
        if (mine == nullptr || node != &mine->link)
            add_orphan(*list_entry<thread_heap, &thread_heap::link>(node));
    }
    if (mine != nullptr)
        live_heaps.insert_back(mine->link);
    nr_heaps = mine != nullptr ? 1 : 0;
    share_thread_cache();
}

} // namespace bsl
