#pragma once

/// The program's shrinkers, asked when memory is short.
///
///     slots[64]   nullptr, or a shrinker; changed and read without a lock
///     runner      the thread that asks them; 0: none
///
/// One thread asks at a time, and with no lock held, since a shrinker frees and may allocate; if that
/// runs out of memory in turn, nobody is asked again (the kernel's PF_MEMALLOC).  Another thread that
/// is short meanwhile goes without.

#include <cstddef>

namespace bsl::heap
{

struct shrinker_call
{
    unsigned long (*count)(void* shrinker);
    unsigned long (*scan)(void* shrinker, unsigned long nr, unsigned long* nr_scanned);
    unsigned long (*batch)(const void* shrinker);
};

/// How the shrinkers are called is the API's to know.
bool add_shrinker(void* shrinker, const shrinker_call* how);
void remove_shrinker(void* shrinker);

/// Asks all of them for a part of what they have, 2 / 2^priority as the kernel does, or for all; returns
/// how many objects were freed.
std::size_t run_shrinkers(unsigned priority = 0);

/// Is anybody being asked just now?
bool shrinkers_run();

/// In the child of a fork: a run of another thread is no more.
void reset_shrinkers_in_child();

} // namespace bsl::heap
