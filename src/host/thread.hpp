#pragma once

/// Threads as the host knows them: who runs, where, and when one ends.

#include <cstdint>

namespace bsl::host
{

/// A value that no other live thread has; no system call.
inline std::uintptr_t thread_pointer()
{
    return reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer());
}

/// The processor this thread ran on a moment ago.  A hint for choosing a shard, nothing more.
unsigned current_cpu();

/// Lets other threads run.
void yield();

/// The kernel's number of this thread.
int thread_id();

/// Makes `hook(argument)` run at the end of each thread that calls watch_thread_exit(argument).
/// False when no thread-specific key is left: then threads end unseen.  Call once.
bool install_thread_exit_hook(void (*hook)(void*));

/// Asks for the hook at this thread's end.  May allocate: call it with the heap usable and no lock
/// held.  False when the host cannot.
bool watch_thread_exit(void* argument);

/// Every other thread of the process has passed a full memory barrier when this returns true.
/// False where the kernel cannot (before 4.14, or a sandbox forbids it).
bool memory_barrier_everywhere();

/// Runs the three hooks around every fork(): before it, after it in the parent, in the child.
bool install_fork_hooks(void (*prepare)(), void (*parent)(), void (*child)());

} // namespace bsl::host
