#pragma once

/// The only lock: spins briefly, then sleeps.
///
/// word_ is a set of bits:
///
///     locked    somebody is inside
///     waiters   somebody may sleep on the word: the unlocker wakes one
///     atomic    the one inside must not enter the kernel: to wait is to yield, not to sleep
///     frozen    a fork is under way; only the forking thread may take the lock meanwhile
///
/// Uncontended, lock and unlock are one atomic instruction each.  Acquiring is an acquire operation,
/// releasing a release operation: all that the last holder wrote is seen by the next.
///
/// Fork.  The forking thread freezes every lock in rank order, so that the child inherits no half
/// done change.  Until it thaws them, handlers of other libraries may run in the same thread and
/// call malloc: for the forking thread alone a frozen lock can be taken as if it were free.

#include "locking/annotations.hpp"
#include "locking/lockdep.hpp"

#include <atomic>
#include <cstdint>

namespace bsl
{

class BSL_TSA(capability("mutex")) mutex
{
public:
    explicit constexpr mutex(lock_rank rank) : rank_(rank) {}
    mutex(const mutex&) = delete;
    mutex& operator=(const mutex&) = delete;

    void lock() BSL_TSA(acquire_capability())
    {
        lockdep::acquire(rank_);
        std::uint32_t expected = 0;
        if (!word_.compare_exchange_strong(expected, locked, std::memory_order_acquire,
                                           std::memory_order_relaxed)) [[unlikely]]
            lock_slow();
    }

    void unlock() BSL_TSA(release_capability())
    {
        lockdep::release(rank_);
        const std::uint32_t old = word_.fetch_and(~locked, std::memory_order_release);
        if (old != locked) [[unlikely]]
            unlock_slow(old);
    }

    /// For callers that must neither wait nor enter the kernel (GFP_ATOMIC), in a signal handler too.
    /// Who waits for such a holder does not sleep, so that unlock_atomic() has nobody to wake.  Not
    /// checked by lockdep: what does not wait cannot deadlock.
    bool try_lock_atomic() BSL_TSA(no_thread_safety_analysis)
    {
        std::uint32_t expected = 0;
        return word_.compare_exchange_strong(expected, locked | atomic, std::memory_order_acquire,
                                             std::memory_order_relaxed);
    }
    void unlock_atomic() BSL_TSA(no_thread_safety_analysis)
    {
        word_.fetch_and(~(locked | atomic), std::memory_order_release);
    }

    /// Fork, before it: waits for the lock and keeps everybody else out.
    void freeze() BSL_TSA(no_thread_safety_analysis);
    /// Fork, in the parent: lets others in again.  A lock that was not frozen is only looked at: a page
    /// that nobody writes to stays shared with the child.
    void thaw();
    /// Fork, in the child, which has no other thread.
    void reset_in_child()
    {
        if (word_.load(std::memory_order_relaxed) != 0)
            word_.store(0, std::memory_order_relaxed);
    }

    /// The thread that may enter frozen locks; 0 when none.
    static void set_fork_owner(std::uintptr_t thread);

    /// This thread is about to abort, perhaps with locks held: from now on it waits for none, so that
    /// what handles its SIGABRT may allocate.
    static void open_all_to_this_thread();

private:
    static constexpr std::uint32_t locked = 1;
    static constexpr std::uint32_t waiters = 2;
    static constexpr std::uint32_t frozen = 4;
    static constexpr std::uint32_t atomic = 8;

    void lock_slow();
    void unlock_slow(std::uint32_t old);
    bool try_take(std::uint32_t word, std::uint32_t with);

    std::atomic<std::uint32_t> word_{0};
    const lock_rank rank_;
};

/// Holds a mutex for a scope.
class BSL_TSA(scoped_lockable) mutex_guard
{
public:
    explicit mutex_guard(mutex& m) BSL_TSA(acquire_capability(m)) : mutex_(m) { mutex_.lock(); }
    ~mutex_guard() BSL_TSA(release_capability()) { mutex_.unlock(); }
    mutex_guard(const mutex_guard&) = delete;
    mutex_guard& operator=(const mutex_guard&) = delete;

private:
    mutex& mutex_;
};

} // namespace bsl
