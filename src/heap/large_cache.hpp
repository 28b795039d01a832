#pragma once

/// The large objects that a thread keeps: one of each class whose objects have a slab each.
///
///     slot of a class: nullptr, or the struct page of a parked object (park())
///
/// What is kept is bounded by bytes (thread_large_bytes_max), or is a single larger one.
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
/// barrier puts into a slot that it has found empty.
///
/// In the child of a fork, an object that another thread was taking is lost.

#include "base/bitmap.hpp"
#include "slab/kmem_cache.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace bsl
{

/// What one thread may have of something of which a few threads may have `bytes`.
std::size_t share_of(std::size_t bytes);

class large_cache
{
public:
    static constexpr unsigned nr_slots = nr_classes - nr_slab_classes;

    /// The object kept of a class, if it has `pages` pages and not many more; it is not parked any more.
    /// nullptr: none, or a theft has begun.  Owner only.
    page* take(unsigned size_class, std::size_t pages)
    {
        const unsigned i = size_class - nr_slab_classes;
        page* head = slots_[i].load(std::memory_order_relaxed);
        if (head == nullptr)
            return nullptr;
        const std::size_t kept = pages_[i].load(std::memory_order_relaxed);
        // The smallest of them differ in size by more than a class does.
        if (kept < pages || kept > pages + pages / 4)
            return nullptr;
        slots_[i].store(nullptr, std::memory_order_relaxed);
        std::atomic_signal_fence(std::memory_order_seq_cst); // the thief's barrier does the rest
        if (is_closed()) [[unlikely]] {
            in_doubt_ = head;
            slot_in_doubt_ = i;
            return nullptr;
        }
        bytes_ -= kept << page_shift;
        unpark(*head);
        return head;
    }

    /// Keeps a parked object.  False: there is one of its class, too much in all, or a theft has begun.  Owner
    /// only.
    bool keep(page& head)
    {
        const unsigned i = head.cache - nr_slab_classes;
        const std::size_t pages = single_pages(head);
        if (is_closed() || !has_room(pages << page_shift) ||
            slots_[i].load(std::memory_order_relaxed) != nullptr)
            return false;
        pages_[i].store(static_cast<std::uint16_t>(pages), std::memory_order_relaxed);
        slots_[i].store(&head, std::memory_order_release);
        bytes_ += pages << page_shift;
        return true;
    }

    /// May an object of `size` bytes be kept besides what is?  Owner only.
    bool has_room(std::size_t size) const
    {
        return bytes_ + size <= share_of(thread_large_bytes_max) ||
               (bytes_ == 0 && size <= share_of(thread_largest_max));
    }

    /// Of all that is kept; more, after a theft.  Owner only.
    std::size_t bytes() const { return bytes_; }

    /// Of the object of a class, as seen from any thread.
    std::size_t bytes_of(unsigned size_class) const
    {
        const unsigned i = size_class - nr_slab_classes;
        if (slots_[i].load(std::memory_order_acquire) == nullptr)
            return 0;
        return std::size_t{pages_[i].load(std::memory_order_relaxed)} << page_shift;
    }

    // --- all others with the owner's thread lock held ---------------------------------------------

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
        bytes_ = 0;
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
    page* in_doubt_ = nullptr;                   ///< between the steps of take(); the owner's
    unsigned slot_in_doubt_ = 0;
    std::size_t bytes_ = 0; ///< the owner's
};

} // namespace bsl
