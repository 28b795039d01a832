#pragma once

/// The one lock order of the library.
///
/// A thread takes locks in ascending rank only.  Check level 2 proves it at every acquisition.
/// fork() takes all of them in this order (heap/fork.cpp).  No lock is held across a system call
/// that changes the address space; exceptions are `moving`, and the futex of a contended lock.

#include "base/check.hpp"

namespace bsl
{

enum class lock_rank : unsigned char
{
    fork,     ///< one fork at a time
    registry, ///< list of thread heaps
    caches,   ///< which of the program's caches there are
    heaps,    ///< which private heaps there are
    heap,     ///< one private heap
    thread,   ///< one thread's full sheaves and pageset
    cma,      ///< which pages of contiguous areas are in use
    moving,   ///< one thread moves frames under live windows
    vmalloc,  ///< windows
    node,     ///< slabs of one cache and shard
    barn,     ///< sheaves of one cache and shard
    zone,     ///< free blocks
    arena,    ///< arenas and the section table
    nr_ranks
};

/// Tracks what this thread holds; every call vanishes below check level 2.
class lockdep
{
public:
    static void acquire(lock_rank rank)
    {
        if constexpr (check_level >= 2)
            check_acquire(rank);
    }

    static void release(lock_rank rank)
    {
        if constexpr (check_level >= 2)
            check_release(rank);
    }

    /// Does this thread hold no lock at all?  Always true below check level 2.
    static bool holds_nothing();

private:
    static void check_acquire(lock_rank rank);
    static void check_release(lock_rank rank);
};

} // namespace bsl
