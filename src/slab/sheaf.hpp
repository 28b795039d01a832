#pragma once

/// Sheaves: arrays of pointers to free objects of one cache.  malloc pops, free pushes.
///
///     one sheaf, 512 bytes, aligned to 512:
///
///     | next | top | floor | slot 0 | slot 1 |  …  | slot 60 |
///                     NULL                                    ^ the next 512-byte boundary
///
/// A sheaf in use hangs in a bin, which points behind its topmost object:
///
///     empty     the word below top is NULL: the floor, or a slot that was set to NULL
///     full      top is a multiple of 512
///
/// Both tests cost one instruction and need neither count nor end pointer.  A smaller capacity is a
/// higher floor: NULL in the slot below the lowest one in use.  A bin without a sheaf points to the
/// end of a dummy whose last slot is NULL: it is empty and full at once, so that a bin needs no test
/// for being set up either.  Class 0, the class of all that is no small object, never gets another.
///
/// Who may do what: a bin is popped and pushed by its owner thread alone, without a lock.  Each
/// operation commits by one store to top, so that a thread that dies or forks anywhere in between
/// leaves a consistent sheaf.  Everything else, and every sheaf that hangs in no bin, is under a
/// lock: the owner's thread lock, or a barn's.
///
/// Taking objects away from a running owner.  The thief holds the owner's thread
/// lock and raises the floor (class theft):
///
///     1  victim = exchange(slot k, NULL)       k at least two below top
///     2  a memory barrier on every thread of the process (membarrier)
///     3  top still above k + 1, and slot k still NULL?  Then the owner has not been at slot k since
///        step 1 and cannot pass it: everything from the floor up to k is the thief's.
///
/// Why: to pop slot k the owner must first have stored top = k + 1; the barrier makes that store
/// visible.  If it was popped and pushed again before step 3, slot k is no longer NULL.  After the
/// barrier the owner finds NULL in slot k, takes its slow path, and waits for the lock.  Where step 3
/// fails, the thief puts the object back unless the slot has been used: if the owner popped it before
/// step 1, the slot is above top by now, where contents do not matter.

#include "config/limits.hpp"
#include "host/thread.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace bsl
{

using object_slot = std::atomic<void*>;

struct alignas(sheaf_size) sheaf
{
    sheaf* next;      ///< in a stack of sheaves
    object_slot* top; ///< while in no bin: as bin::top
    object_slot floor;
    object_slot slot[sheaf_capacity_max];
};
static_assert(sizeof(sheaf) == sheaf_size);
static_assert(std::atomic<void*>::is_always_lock_free);

/// Empty and full at once.
extern constinit sheaf dummy_sheaf;

inline object_slot* dummy_top()
{
    return dummy_sheaf.slot + sheaf_capacity_max;
}

struct bin
{
    std::atomic<object_slot*> top{dummy_sheaf.slot + sheaf_capacity_max};

    /// The object freed last, or nullptr: empty, or no sheaf.
    [[gnu::always_inline]] void* pop()
    {
        object_slot* at = top.load(std::memory_order_relaxed);
        void* object = at[-1].load(std::memory_order_relaxed);
        if (object == nullptr) [[unlikely]]
            return nullptr;
        top.store(at - 1, std::memory_order_relaxed);
        return object;
    }

    /// False when the sheaf is full, when there is none, or when `object` was freed just before.
    [[gnu::always_inline]] bool push(void* object)
    {
        object_slot* at = top.load(std::memory_order_relaxed);
        if (reinterpret_cast<std::uintptr_t>(at) % sheaf_size == 0) [[unlikely]]
            return false;
        if (at[-1].load(std::memory_order_relaxed) == object) [[unlikely]]
            return false;
        at->store(object, std::memory_order_relaxed);
        top.store(at + 1, std::memory_order_release); // the thief reads it with acquire
        return true;
    }

    /// pop() up to n times, in one go.  Each object is a step of its own, for the thief's sake.
    unsigned pop_some(void** objects, unsigned n)
    {
        object_slot* at = top.load(std::memory_order_relaxed);
#pragma GCC unroll 4
        for (unsigned i = 0; i < n; ++i) {
            void* object = at[-1].load(std::memory_order_relaxed);
            if (object == nullptr)
                return i;
            objects[i] = object;
            top.store(--at, std::memory_order_relaxed);
        }
        return n;
    }

    /// push() up to n times, in one go; ends before the object that push() would not take or that
    /// is_of_class() denies.  It is asked for those alone that are not in the page of the one before.  The
    /// objects are in the bin from the one store to top on.
    template <typename IsOfClass>
    unsigned push_some(void* const* objects, unsigned n, IsOfClass is_of_class)
    {
        object_slot* const at = top.load(std::memory_order_relaxed);
        const auto room = static_cast<unsigned>(-reinterpret_cast<std::uintptr_t>(at) % sheaf_size /
                                                sizeof(object_slot));
        const unsigned most = n < room ? n : room;
        void* below = at[-1].load(std::memory_order_relaxed);
        unsigned i = 0;
#pragma GCC unroll 4
        for (; i < most; ++i) {
            void* object = objects[i];
            const auto apart =
                reinterpret_cast<std::uintptr_t>(object) ^ reinterpret_cast<std::uintptr_t>(below);
            if (apart - 1 >= bytes_per_page - 1 && (apart == 0 || !is_of_class(object)))
                break;
            at[i].store(object, std::memory_order_relaxed);
            below = object;
        }
        top.store(at + i, std::memory_order_release);
        return i;
    }

    bool is_empty() const
    {
        return top.load(std::memory_order_relaxed)[-1].load(std::memory_order_relaxed) == nullptr;
    }

    bool has_sheaf() const
    {
        return top.load(std::memory_order_relaxed) != dummy_top();
    }

    /// Where in its sheaf the top is: it stays the same while nobody pops or pushes.
    unsigned position() const
    {
        return static_cast<unsigned>(
            reinterpret_cast<std::uintptr_t>(top.load(std::memory_order_relaxed)) % sheaf_size /
            sizeof(object_slot));
    }

    /// Is `object` the one freed last?
    bool is_topmost(const void* object) const
    {
        return top.load(std::memory_order_relaxed)[-1].load(std::memory_order_relaxed) == object;
    }
};

/// Makes a sheaf empty, with room for `capacity` objects.
void reset(sheaf& s, unsigned capacity);

/// Hangs a sheaf into a bin, takes it out.  Owner only, with its thread lock held.
void attach(bin& to, sheaf& s);
sheaf* detach(bin& from);

/// Objects in a sheaf that hangs in no bin.
unsigned count(const sheaf& s);

/// Puts `n` objects into an empty sheaf so that they are popped in this order.
void fill(sheaf& s, void* const* objects, unsigned n);

/// Takes all objects out of a sheaf that hangs in no bin; returns how many.  It is empty afterwards,
/// with the capacity it is given.
unsigned empty(sheaf& s, void** objects, unsigned capacity);

/// One attempt to take objects away from a bin whose owner may be running; see above.
class theft
{
public:
    /// Step 1.  False when the bin holds too little to bother.
    bool begin(bin& from);
    /// Step 3, after the barrier.  Returns how many objects were taken, at most sheaf_capacity_max.
    unsigned finish(void** objects);
    /// Instead of step 3, where no barrier could be had: puts back what step 1 took.  Returns 0.
    unsigned undo();

private:
    bin* from_ = nullptr;
    object_slot* slot_ = nullptr;
    void* object_ = nullptr;
};

/// Takes all but the last objects of each bin, whose owner may be running, and calls
/// give(i, objects, n) for what came out of bin i.  With the owner's thread lock held; one barrier for
/// all bins.
template <std::size_t nr, typename Give>
void steal(bin (&from)[nr], Give give)
{
    theft thefts[nr];
    bool begun[nr];
    bool any = false;
    for (std::size_t i = 0; i < nr; ++i) {
        begun[i] = thefts[i].begin(from[i]);
        any |= begun[i];
    }
    // Without the barrier finish() would have nothing to rely on: it is then made to fail.
    const bool ordered = any && host::memory_barrier_everywhere();
    for (unsigned i = 0; i < nr; ++i) {
        if (!begun[i])
            continue;
        void* objects[sheaf_capacity_max];
        const unsigned n = ordered ? thefts[i].finish(objects) : thefts[i].undo();
        if (n != 0)
            give(i, objects, n);
    }
}

/// A stack of sheaves, last in first out.
class sheaf_stack
{
public:
    void push(sheaf& s)
    {
        s.next = top_;
        top_ = &s;
        ++size_;
    }

    /// nullptr when there is none.
    sheaf* pop()
    {
        sheaf* s = top_;
        if (s != nullptr) {
            top_ = s->next;
            --size_;
        }
        return s;
    }

    unsigned size() const { return size_; }
    const sheaf* first() const { return top_; }

private:
    sheaf* top_ = nullptr;
    unsigned size_ = 0;
};

} // namespace bsl
