#include "host/futex.hpp"

#include <cerrno>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bsl::host
{

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected)
{
    const int saved = errno;
    const long result = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr);
    // Where a sandbox refuses futex, giving the processor away is the next best way to wait.
    if (result != 0 && (errno == EPERM || errno == ENOSYS))
        sched_yield();
    errno = saved;
}

void futex_wake(std::atomic<std::uint32_t>& word, int count)
{
    const int saved = errno;
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count);
    errno = saved;
}

} // namespace bsl::host
