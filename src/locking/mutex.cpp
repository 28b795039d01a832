#include "locking/mutex.hpp"

#include "base/cpu.hpp"
#include "host/futex.hpp"
#include "host/sysinfo.hpp"
#include "host/thread.hpp"

namespace bsl
{

namespace
{

/// Longer than any critical section here takes (some 200 ns), shorter than a futex round trip.
constexpr unsigned spin_limit = 100;

constinit std::atomic<std::uintptr_t> fork_owner{0};

bool is_fork_owner()
{
    return fork_owner.load(std::memory_order_relaxed) == host::thread_pointer();
}

constinit std::atomic<std::uintptr_t> aborting_thread{0};

} // namespace

void mutex::open_all_to_this_thread()
{
    aborting_thread.store(host::thread_pointer(), std::memory_order_relaxed);
}

void mutex::set_fork_owner(std::uintptr_t thread)
{
    fork_owner.store(thread, std::memory_order_relaxed);
}

/// Takes the lock if `word` says that this thread may, leaving the bits `with` set.
bool mutex::try_take(std::uint32_t word, std::uint32_t with)
{
    if ((word & locked) != 0)
        return false;
    if ((word & frozen) != 0 && !is_fork_owner())
        return false;
    return word_.compare_exchange_weak(word, word | locked | with, std::memory_order_acquire,
                                       std::memory_order_relaxed);
}

void mutex::lock_slow()
{
    if (aborting_thread.load(std::memory_order_relaxed) == host::thread_pointer()) [[unlikely]]
        return;
    for (unsigned i = host::nr_cpus() > 1 ? spin_limit : 0; i != 0; --i) {
        if (try_take(word_.load(std::memory_order_relaxed), 0))
            return;
        cpu_relax();
    }
    for (;;) {
        std::uint32_t word = word_.load(std::memory_order_relaxed);
        // A thread that has slept cannot know whether others still do: it keeps the waiters bit.
        if (try_take(word, waiters))
            return;
        if ((word & atomic) != 0) {
            host::yield();
            continue;
        }
        const bool closed = (word & locked) != 0 || ((word & frozen) != 0 && !is_fork_owner());
        if (!closed)
            continue;
        if ((word & waiters) != 0 ||
            word_.compare_exchange_weak(word, word | waiters, std::memory_order_relaxed))
            host::futex_wait(word_, word | waiters);
    }
}

/// `old` had more than the locked bit: somebody sleeps, or a fork is under way.
void mutex::unlock_slow(std::uint32_t old)
{
    if ((old & waiters) == 0 || (old & frozen) != 0)
        return; // thaw() wakes those who sleep through a fork
    word_.fetch_and(~waiters, std::memory_order_relaxed);
    host::futex_wake(word_, 1);
}

void mutex::freeze()
{
    lock();
    lockdep::release(rank_);
    word_.fetch_xor(locked | frozen, std::memory_order_relaxed);
}

void mutex::thaw()
{
    if ((word_.load(std::memory_order_relaxed) & frozen) == 0)
        return;
    const std::uint32_t old = word_.fetch_and(~(frozen | waiters), std::memory_order_release);
    if ((old & waiters) != 0)
        host::futex_wake(word_, INT32_MAX);
}

} // namespace bsl
