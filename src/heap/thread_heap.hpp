#pragma once

/// What a thread keeps for itself: a bin per size class, full sheaves, pages.
///
/// The fast path of malloc and free is bin::pop() and bin::push() on the bins of this_thread_bins().
/// Everything else here is the slow path: it runs once per sheaf, under the thread's lock, so that
/// another thread can take over what an idle one keeps.
///
///     bin (one sheaf) <-> full sheaves of the thread <-> barn <-> slabs
///
/// What the stacks may hold is bounded by bytes, less per thread when there are many (decision 0021).
///
/// A thread starts without a heap: its bins are no_bins, dummies all of them.  It gets one at its
/// first allocation (boot.hpp) and gives it back at its end; before and after it allocates straight
/// from the slabs.
///
/// Lock: thread_heap::lock guards everything but the bins, which are the owner's alone to pop and
/// push; attaching and detaching their sheaves is done by the owner with the lock held.  Large objects have rules of
/// their own (large_cache.hpp).

#include "base/bitmap.hpp"
#include "base/counter.hpp"
#include "heap/large_cache.hpp"
#include "slab/program_cache.hpp"

#include <utility>

namespace bsl
{

/// A thread's bins of 64 of the program's caches, in the room of a sheaf.
struct bin_chunk
{
    static constexpr unsigned nr = sheaf_size / sizeof(bin);
    bin of_cache[nr];
};
static_assert(sizeof(bin_chunk) == sheaf_size);

inline constexpr unsigned nr_far_chunks = (nr_program_caches_max - nr_near_caches) / bin_chunk::nr;
static_assert(nr_near_caches % bin_chunk::nr == 0);

/// Which chunk the bin of a slot is in.
constexpr unsigned far_chunk(unsigned slot)
{
    return (slot - nr_near_caches) / bin_chunk::nr;
}

struct thread_bins
{
    bin of_class[nr_map_classes]; ///< the class map has no others: class 0 stands for them
    /// Struct pages of free blocks of each order, for alloc_pages(): whatever is in use of them stands in
    /// the struct page, which makes the way from and to the address shorter.
    bin frames[nr_pageset_orders];

    /// Bins of the program's caches that are not near ones; a chunk is made when one of them first needs
    /// a sheaf.  Written by the owner with its lock held, and by drain() while it does not run.
    std::atomic<bin_chunk*> far[nr_far_chunks] = {};

    /// The bin of a cache that the program made; nullptr: no chunk yet.
    bin* of_program(const program_cache& cache) { return of_slot(cache.slot()); }

    /// The same by the cache's slot, which is known also while somebody makes another cache in it.
    bin* of_slot(unsigned slot)
    {
        if (slot < nr_near_caches)
            return &of_class[nr_slab_classes + slot];
        bin_chunk* chunk = far[far_chunk(slot)].load(std::memory_order_relaxed);
        return chunk != nullptr ? chunk->of_cache + slot % bin_chunk::nr : nullptr;
    }
};

/// Dummies: every operation on them takes the slow path.
extern constinit thread_bins no_bins;

/// What is idle may stay until the heap uses more pages than so many, if it uses `pages` now.
constexpr std::size_t stays_until(std::size_t pages)
{
    return pages + pages / idle_stays_part + idle_stays_pages;
}

class thread_heap
{
public:
    thread_heap() = default;

    mutex lock{lock_rank::thread};
    list_head link;         ///< in the registry
    bool is_orphan = false; ///< its thread has ended.  Lock: the registry's

    /// The memory node that its thread was on when it last looked.
    unsigned node() const { return node_; }

    /// Takes an object of one of malloc's or the program's caches; nullptr when the zone must grow first,
    /// or a constructed slab must be made.  `zeros`: it was never touched.  Owner only; no lock may be held.
    void* alloc(const kmem_cache& cache, bool& zeros);

    /// The same for an object that has a slab of its own.
    void* alloc_single(const kmem_cache& cache, single_request wanted, bool& zeros);

    /// Gives such an object back.  Owner only.
    void free(const kmem_cache& cache, void* object);

    /// The same for classes whose objects have a slab each: take_large() is nullptr and keep_large()
    /// false when the thread keeps none of so many pages, or has enough; the slabs are next then.  Owner only.
    [[gnu::always_inline]] void* take_large(unsigned size_class, std::size_t pages)
    {
        const page* head = large_.take(size_class, pages);
        if (head == nullptr) [[unlikely]]
            return nullptr;
        char* const start = head->start;
        if (start == nullptr)
            __builtin_unreachable(); // or each caller asks again
        return start;
    }
    [[gnu::always_inline]] bool keep_large(page& head) { return large_.keep(head); }

    /// Both work without the lock until somebody takes large objects away from this thread; then after this, which the
    /// slow paths call.  Owner only.
    void settle_large();

    /// keep_large() where what was kept before may give way.  Owner only.
    bool keep_large_instead(page& head);

    /// A block of 2^order pages, order below nr_pageset_orders, by its first struct page; nullptr when the
    /// zone must grow first.  Owner only.
    page* alloc_frame(unsigned order);

    /// Gives such a block back.  Owner only.
    void free_frame(page& first, unsigned order);

    /// Takes the lowest object of one of this thread's bins, in a signal handler that may have interrupted
    /// a pop or push of that bin: the top ones are left alone.  nullptr if there are few, or if the lock
    /// is taken.  Raises the floor, as a thief does.
    void* take_lowest(bin& from);

    /// Gives what this thread keeps of a cache back to its slabs; nobody may use the cache meanwhile.
    void drain_cache(const program_cache& cache);

    /// Objects of a cache in this thread's bin, as seen from outside.
    std::size_t nr_cached_of(const program_cache& cache);

    /// Gives all that this thread keeps back to the slabs and the zone.  By the owner, or by another
    /// thread if the owner cannot run (it has ended, or is frozen out by fork).
    void drain();

    /// Gives back all but what the bins hold: for the next thread that has this heap.  By the owner.
    void drain_to_bins();

    /// The same as drain() for a thread that may be running: all but the last objects of each bin.
    void drain_from_outside();

    thread_bins& bins() { return bins_; }

    /// Has the heap come to use so many more pages than when this was last true, that what is idle is to give
    /// way?
    bool has_seen_growth(std::size_t pages)
    {
        if (pages <= stays_up_to_) [[likely]]
            return false;
        stays_up_to_ = stays_until(pages);
        return true;
    }

    /// Gives objects back of classes that were not asked for since the last call: full sheaves that nothing was
    /// refilled from, and what is in bins that are as they were.  Owner only.
    void give_up_idle();

    /// Empties the barns that nobody took from since any thread called this last: under this thread's lock, so that a
    /// fork does not meet a sheaf between its barn and its slabs.
    void drain_idle_barns();

    /// Did alloc() or free() get objects from elsewhere, or give some away, since this was last asked?  No: sheaves
    /// of this thread were exchanged at most.  Owner only.
    bool has_moved() { return std::exchange(has_moved_, false); }

    /// Has this thread given back so many bytes to slabs since this was last true?
    bool has_flushed(std::size_t bytes);

    /// Objects of a class in this thread's full sheaves and, as seen from outside, in its bin.
    std::size_t nr_cached(unsigned size_class);
    /// Bytes of the object that it keeps of a class whose objects have a slab each; as seen from outside, too.
    std::size_t large_bytes_of(unsigned size_class) const
    {
        return large_.pages_of(size_class) << page_shift;
    }

    /// Pages in this thread's pageset and, as seen from outside, in its bins of frames.
    std::size_t nr_pages_held() const { return pages_.nr_pages_held() + nr_frame_pages(); }

private:
    friend struct look; // heap/root.hpp

    bin* bin_for(const kmem_cache& cache) BSL_TSA(requires_capability(lock));
    bin* make_bin(const program_cache& cache) BSL_TSA(requires_capability(lock));
    void* take(const kmem_cache& cache, page_use& use);
    void* refill(const kmem_cache& cache, bin& mine, page_use& use)
        BSL_TSA(requires_capability(lock));
    void free_slow(const kmem_cache& cache, bin& mine, void* object)
        BSL_TSA(requires_capability(lock));
    void give_away(const kmem_cache& cache, sheaf& full, sheaf*& room)
        BSL_TSA(requires_capability(lock));
    void put_away(const kmem_cache& cache, sheaf& full, sheaf*& room)
        BSL_TSA(requires_capability(lock));
    bool keeps_another(const kmem_cache& cache, unsigned size_class)
        BSL_TSA(requires_capability(lock));
    bool evict_for(unsigned size_class) BSL_TSA(requires_capability(lock));
    void push_full(unsigned size_class, sheaf& s) BSL_TSA(requires_capability(lock));
    sheaf* pop_full(unsigned size_class) BSL_TSA(requires_capability(lock));
    bool deserves_sheaf(unsigned size_class) BSL_TSA(requires_capability(lock));
    sheaf* take_spare() BSL_TSA(requires_capability(lock));
    void put_spare(sheaf* s) BSL_TSA(requires_capability(lock));
    /// Gives empty sheaves back to their own slabs, many under one lock, until `keep` are left.
    void drain_spares(unsigned keep) BSL_TSA(requires_capability(lock));
    void flush(const kmem_cache& cache, sheaf& s) BSL_TSA(requires_capability(lock));
    void flush_one(const kmem_cache& cache, void* object) BSL_TSA(requires_capability(lock));
    void drain_bin(const kmem_cache& cache, bin& from) BSL_TSA(requires_capability(lock));
    void drain_programs() BSL_TSA(requires_capability(lock));
    void steal_programs() BSL_TSA(requires_capability(lock));
    void drain_large() BSL_TSA(requires_capability(lock));
    /// With the lock held, which the analysis does not see in a lambda.
    void flush_large(page& head);
    void keep_frame(page& first, unsigned order) BSL_TSA(requires_capability(lock));
    void give_frames(void* const* frames, unsigned n, unsigned order)
        BSL_TSA(requires_capability(lock));
    unsigned keep_local(void** frames, unsigned n, unsigned order)
        BSL_TSA(requires_capability(lock));
    void drain_frames() BSL_TSA(requires_capability(lock));
    void steal_frames() BSL_TSA(requires_capability(lock));
    std::size_t nr_frame_pages() const;
    void drain_stack(unsigned size_class) BSL_TSA(requires_capability(lock));
    void drain_stacks() BSL_TSA(requires_capability(lock));
    /// Several memory nodes: objects of other nodes than this thread's leave a detached sheaf.  True if
    /// there were any.
    bool send_home(const kmem_cache& cache, sheaf& s) BSL_TSA(requires_capability(lock));
    /// The thread runs on this node now.
    void follow(unsigned node) BSL_TSA(requires_capability(lock));

    thread_bins bins_;
    sheaf_stack full_[nr_slab_classes];
    std::size_t full_bytes_ = 0;                          ///< of objects in those
    bitmap<round_up(nr_slab_classes, 64)> has_full_ = {}; ///< classes that have any
    /// Pages that the heap may use before what is idle gives way; the owner's.
    std::size_t stays_up_to_ = 0;
    bitmap<round_up(nr_slab_classes, 64)> was_refilled_ = {}; ///< classes: from full_, since then
    std::uint8_t position_before_[nr_slab_classes] = {};      ///< of each bin, then
    std::uint8_t next_victim_ = 0;
    std::uint8_t node_ = 0;  ///< that the thread was on when it last looked
    bool has_moved_ = false; ///< the owner's
    sheaf_stack spare_;      ///< empty sheaves, of any class
    pageset pages_;
    std::uint16_t visits_[nr_slab_classes] = {}; ///< to slabs, before there was a sheaf
    large_cache large_;
    /// Given back to slabs since the last look at holes.  Also the drains of others add to it: that one
    /// of two at once is lost does no harm.
    counter<std::size_t> flushed_bytes_ = 0;
};
static_assert(sizeof(thread_heap) <= thread_heap_size);

/// What one thread may have of something of which a few threads may have `bytes`.
std::size_t share_of(std::size_t bytes);

/// Puts what is of this node to the front; returns how many are.
unsigned sort_by_node(void** objects, unsigned n, unsigned node, unsigned (*node_of_one)(void*));

/// Room of a sheaf in a bin: less when there are many threads, since idle ones keep what is in it.
unsigned capacity_now(const kmem_cache& cache);
/// Full sheaves that a barn of this cache holds.
unsigned barn_room(const kmem_cache& cache);

/// What a thread may keep is divided by this; set by the registry when threads come and go.
void set_crowd(std::size_t crowd);

/// Empties the barns of all caches into their slabs, and gives empty slabs back.  No lock may be held.
void drain_barns();

} // namespace bsl
