/*
 * GFP_ATOMIC: an object from what lies at hand, or nullptr.
 *
 *     lowest object of this thread's bin > a resident free object of a slab > nullptr
 *
 * The caller may be a signal handler that interrupted this very thread anywhere in the library.  So:
 *
 *     no lock is waited for      the thread may hold it: a lock that is taken is passed by
 *     the top of a bin is left   a pop or push may be half done: it has read top and the slot below,
 *                                and will store top.  Slots three and more below are nobody's business
 *                                but a thief's, who has the thread's lock
 *     nothing enters the kernel  no page is opened, nobody is woken (mutex::try_lock_atomic)
 *     errno is left alone
 */
#include "heap/heap.hpp"
#include "heap/object_caches.hpp"

namespace bsl
{

void* thread_heap::take_lowest(bin& from) BSL_TSA(no_thread_safety_analysis)
{
    if (!lock.try_lock_atomic())
        return nullptr;
    constexpr std::ptrdiff_t left_alone = 2;
    object_slot* const top = from.top.load(std::memory_order_acquire);
    object_slot* lowest = top;
    while (lowest[-1].load(std::memory_order_relaxed) != nullptr)
        --lowest;
    void* object = nullptr;
    if (top - lowest > left_alone)
        object = lowest->exchange(nullptr, std::memory_order_acq_rel);
    lock.unlock_atomic();
    return object;
}

namespace heap
{

namespace
{

void* take(const kmem_cache& cache, bin* mine)
{
    thread_heap* heap = this_thread.heap;
    void* object = heap != nullptr && mine != nullptr ? heap->take_lowest(*mine) : nullptr;
    return object != nullptr ? object : cache.alloc_one_atomic();
}

} // namespace

void* malloc_atomic(std::size_t size) noexcept
{
    const unsigned size_class = class_of(size);
    thread_bins* mine = this_thread.bins;
    return take(kmalloc_cache(size_class), mine == nullptr ? nullptr : mine->of_class + size_class);
}

void* cache_alloc_atomic(const program_cache& cache) noexcept
{
    thread_bins* mine = this_thread.bins;
    return take(cache, mine == nullptr ? nullptr : mine->of_program(cache));
}

} // namespace heap

} // namespace bsl
