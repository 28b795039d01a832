#include "host/sysinfo.hpp"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <unistd.h>

namespace bsl::host
{

unsigned nr_cpus()
{
    static constinit std::atomic<unsigned> cached{0};
    unsigned nr = cached.load(std::memory_order_relaxed);
    if (nr == 0) {
        const int saved = errno;
        cpu_set_t set;
        CPU_ZERO(&set);
        const bool known = sched_getaffinity(0, sizeof set, &set) == 0;
        const int n = known ? CPU_COUNT(&set) : 1;
        nr = n < 1 ? 1 : static_cast<unsigned>(n);
        cached.store(nr, std::memory_order_relaxed);
        errno = saved;
    }
    return nr;
}

std::size_t address_space_limit()
{
    rlimit limit{};
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return SIZE_MAX;
    return static_cast<std::size_t>(limit.rlim_cur);
}

int process_id()
{
    return static_cast<int>(getpid());
}

bool is_secure_execution()
{
    return getauxval(AT_SECURE) != 0;
}

} // namespace bsl::host
