#pragma once

/// The large objects that a thread keeps: one of each class whose objects have a slab each.
///
///     slot of a class: nullptr, or the struct page of a parked object (park())
///
/// What is kept is bounded by its pages (thread_large_bytes_max), or is a single larger one.
///
/// Who may do what: take() and keep() are the owner thread's alone, without a lock, and make do with plain loads
/// and stores.  Everything else is under the owner's thread lock.
///
/// Taking objects away from a running owner.  The thief holds the owner's thread lock:
///
///     1  closed = true
///     2  a memory barrier on every thread of the process (membarrier)
///     3  what is in a slot now is the thief's: it empties the slot, and marks it as robbed
///
/// and the owner, in take():
///
///     1  head = the slot;  slot = nullptr
///     2  closed?  Then head is in doubt, and the owner takes its slow path: under the lock head goes back to its
///        slot unless that is marked, and it is open again
///
/// Why: an owner that finds it open in step 2 did so before the thief's barrier, and the thief sees the slot empty.  An
/// owner that is between its steps at the barrier finds it closed afterwards, and the mark tells who has the object.
/// The mark is of no other object: nothing is kept while it is closed, but what a keep() that was on its way at the
/// barrier puts into a slot that it has found empty.  It looks into the slot before it asks whether it is closed: a
/// slot that a thief empties in between would be filled again, and what is kept there taken for what was stolen.
///
/// In the child of a fork, an object that another thread was taking is lost.

#include "base/bitmap.hpp"
#include "slab/kmem_cache.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace bsl
{

/// What each thread may keep, in pages; less where threads are many (set_crowd()).
struct large_bounds
{
    std::atomic<std::size_t> sum;
    std::atomic<std::size_t> single; ///< if it is all that the thread keeps
};
extern constinit large_bounds bounds_of_large;

class large_cache
{
public:
    static constexpr unsigned nr_slots = nr_classes - nr_slab_classes;

    /// The object kept of a class, if it has `pages` pages; it is not parked any more.
    /// nullptr: none, or a theft has begun.  Owner only.
    page* take(unsigned size_class, std::size_t pages)
    {
        const unsigned i = size_class - nr_slab_classes;
        page* head = slots_[i].load(std::memory_order_relaxed);
        if (head == nullptr)
            return nullptr;
        const std::size_t kept = pages_[i].load(std::memory_order_relaxed);
        if (kept < pages)
            return nullptr;
        slots_[i].store(nullptr, std::memory_order_relaxed);
        std::atomic_signal_fence(std::memory_order_seq_cst); // the thief's barrier does the rest
        if (is_closed()) [[unlikely]] {
            slot_in_doubt_ = i;
            in_doubt_.store(head,
                            std::memory_order_release); // after the slot, for the child of a fork
            return nullptr;
        }
        sum_ -= kept;
        unpark(*head);
        return head;
    }

    /// Keeps a parked object.  False: there is one of its class, too much in all, or a theft has begun.  Owner
    /// only.
    bool keep(page& head)
    {
        const unsigned i = head.cache - nr_slab_classes;
        const std::size_t pages = single_pages(head);
        if (slots_[i].load(std::memory_order_relaxed) != nullptr || !has_room(pages))
            return false;
        std::atomic_signal_fence(std::memory_order_seq_cst); // first the slot: see above
        if (is_closed()) [[unlikely]]
            return false;
        pages_[i].store(static_cast<std::uint16_t>(pages), std::memory_order_relaxed);
        slots_[i].store(&head, std::memory_order_release);
        sum_ += pages;
        return true;
    }

    /// May an object of so many pages be kept besides what is?  Owner only.
    bool has_room(std::size_t pages) const
    {
        return sum_ + pages <= bounds_of_large.sum.load(std::memory_order_relaxed) ||
               (sum_ == 0 && may_be_alone(pages));
    }
    static bool may_be_alone(std::size_t pages)
    {
        return pages <= bounds_of_large.single.load(std::memory_order_relaxed);
    }

    /// Is nothing kept?  Owner only; it may be so though it is denied, after a theft.
    bool is_empty() const { return sum_ == 0; }

    /// Pages of the object of a class, as seen from any thread; 0: none.
    std::size_t pages_of(unsigned size_class) const
    {
        const unsigned i = size_class - nr_slab_classes;
        return slots_[i].load(std::memory_order_acquire) == nullptr
                   ? 0
                   : pages_[i].load(std::memory_order_relaxed);
    }

    /// Has there been a theft?  Owner only; without the lock.
    bool is_closed() const { return closed_.load(std::memory_order_relaxed); }

    /// Ends what a theft has begun.  By the owner, or if the owner cannot run.
    void open();

    /// Calls give(page&) for all that is kept; by the owner, or if the owner cannot run.
    template <typename Give>
    void take_all(Give give)
    {
        open();
        for (std::atomic<page*>& slot : slots_) {
            if (page* head = slot.load(std::memory_order_acquire))
                take_out(slot, *head, give);
        }
        sum_ = 0;
    }

    /// The same where the owner may be running.
    template <typename Give>
    void steal(Give give)
    {
        if (!begin_theft())
            return;
        for (unsigned i = 0; i < nr_slots; ++i) {
            if (page* head = slots_[i].load(std::memory_order_acquire)) {
                robbed_.set(i);
                take_out(slots_[i], *head, give);
            }
        }
    }

private:
    /// Steps 1 and 2.  False: there is nothing, or no barrier to be had.
    bool begin_theft();

    template <typename Give>
    static void take_out(std::atomic<page*>& slot, page& head, Give give)
    {
        slot.store(nullptr, std::memory_order_relaxed);
        unpark(head);
        give(head);
    }

    std::atomic<page*> slots_[nr_slots] = {};
    /// Of each object, where there is one: after a theft its struct page may be another's.
    std::atomic<std::uint16_t> pages_[nr_slots] = {};
    std::atomic<bool> closed_{false};
    bitmap<round_up(nr_slots, 64)> robbed_ = {}; ///< slots, since it was closed
    std::atomic<page*> in_doubt_{nullptr};       ///< between the steps of take(); the owner's
    unsigned slot_in_doubt_ = 0;
    std::size_t sum_ = 0; ///< of pages; the owner's
};

} // namespace bsl
