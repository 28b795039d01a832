#include "host/thread.hpp"

#include <atomic>
#include <cerrno>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bsl::host
{

namespace
{

constinit pthread_key_t exit_key = 0;

long membarrier(int command)
{
    return syscall(SYS_membarrier, command, 0, 0);
}

} // namespace

unsigned current_cpu()
{
    const int cpu = sched_getcpu();
    return cpu < 0 ? 0 : static_cast<unsigned>(cpu);
}

void yield()
{
    sched_yield();
}

int thread_id()
{
    return static_cast<int>(syscall(SYS_gettid));
}

bool install_thread_exit_hook(void (*hook)(void*))
{
    return pthread_key_create(&exit_key, hook) == 0;
}

bool watch_thread_exit(void* argument)
{
    return pthread_setspecific(exit_key, argument) == 0;
}

bool memory_barrier_everywhere()
{
    const int saved = errno;
    bool done = membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0;
    if (!done && errno == EPERM) // not registered yet
        done = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0 &&
               membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0;
    errno = saved;
    return done;
}

bool install_fork_hooks(void (*prepare)(), void (*parent)(), void (*child)())
{
    return pthread_atfork(prepare, parent, child) == 0;
}

} // namespace bsl::host
