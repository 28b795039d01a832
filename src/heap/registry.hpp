#pragma once

/// Which threads have a heap, and how the running thread finds its own.
///
/// A thread's state is 40 bytes of thread-local memory.  At start there is no heap, and the bins are
/// no_bins.
///
///     new --- first allocation after boot ---> attached --- exit hook ---> ended
///
/// The heap of a thread that ends becomes an orphan, with what its bins hold: the next thread that needs a
/// heap takes it over, and finds objects of the sizes that such threads use.  There are no more orphans
/// than processors, and they are drained when an interval of ageing ends, or memory is short.
///
/// A new thread before boot and an ended one allocate straight from the slabs; so does a thread whose
/// end the host cannot tell us.
///
/// In the child of a fork the heaps of all threads that are gone become orphans.
///
/// A heap is in one of the two lists as long as it holds anything: it goes from one to the other in one step, and is
/// drained before it leaves.  Who looks for all that threads keep, to close a cache, or to fork, looks there.
///
/// Locks: the registry lock guards both lists.  direct_lock stands in for the thread lock of a thread
/// that has no heap.

#include "heap/thread_heap.hpp"

#include <cstddef>

namespace bsl
{

struct thread_state
{
    thread_heap* heap = nullptr;
    bool ended = false;
    unsigned slow_paths = 0; ///< taken so far; for what is done now and then
    std::ptrdiff_t unused[2] = {};
    /// What malloc and free use: no_bins if this thread has no heap, or if every call is to be counted.
    /// nullptr only before the loader has initialised the first thread's memory, until its first
    /// allocation.  Why here of all places: early.hpp.
    thread_bins* bins = &no_bins;
};
static_assert(offsetof(thread_state, bins) == bins_offset_in_thread_state);

extern thread_local constinit thread_state this_thread asm("bsl_this_thread");

/// This thread's heap; one is made if that is possible now.  nullptr: allocate without, under
/// direct_lock.  No lock may be held.
thread_heap* this_thread_heap();

extern constinit mutex registry_lock;
extern constinit mutex direct_lock;

/// Lets threads have heaps from now on.  Where calls are counted they do not get to their bins.
void open_registry();

extern constinit list_head live_heaps BSL_TSA(guarded_by(registry_lock));
extern constinit list_head orphan_heaps BSL_TSA(guarded_by(registry_lock));

/// Calls fn(thread_heap&) for every heap, orphans included.
template <typename Fn>
void for_each_thread_heap(Fn fn) BSL_TSA(requires_capability(registry_lock))
{
    list_for_each<thread_heap, &thread_heap::link>(live_heaps, fn);
    list_for_each<thread_heap, &thread_heap::link>(orphan_heaps, fn);
}

/// Drains the heaps of all threads, this one's completely.  No lock may be held.
void drain_all_threads();

/// Drains what threads left that have ended, or that a fork did not take along.
void drain_orphans();

/// In the child of a fork: all heaps but this thread's become orphans.
void orphan_other_threads();

} // namespace bsl
