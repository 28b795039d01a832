#include "host/sysinfo.hpp"

#include "base/bitops.hpp"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bsl::host
{

namespace
{

constexpr unsigned nr_cpus_max = 8192; // what the kernel can be built for

} // namespace

unsigned nr_cpus()
{
    static constinit std::atomic<unsigned> cached{0};
    unsigned nr = cached.load(std::memory_order_relaxed);
    if (nr == 0) {
        const int saved = errno;
        // Of the kernel itself: cpu_set_t ends at 1024 processors.
        std::uint64_t set[nr_cpus_max / 64] = {};
        const long bytes = syscall(SYS_sched_getaffinity, 0, sizeof set, set);
        for (long i = 0; i < bytes / 8; ++i)
            nr += count_bits(set[i]);
        nr = nr == 0 ? 1 : nr;
        cached.store(nr, std::memory_order_relaxed);
        errno = saved;
    }
    return nr;
}

namespace
{

/// SIZE_MAX: there is none, or nobody may ask.
std::size_t limit_of(__rlimit_resource resource)
{
    const int saved = errno;
    rlimit limit{};
    const bool is_limited = getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    errno = saved;
    return is_limited ? static_cast<std::size_t>(limit.rlim_cur) : SIZE_MAX;
}

} // namespace

std::size_t address_space_limit()
{
    return limit_of(RLIMIT_AS);
}

bool is_memory_limited()
{
    return address_space_limit() != SIZE_MAX || limit_of(RLIMIT_DATA) != SIZE_MAX;
}

bool read_file(const char* path, char* text, std::size_t size)
{
    const int saved = errno;
    std::size_t filled = 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && filled + 1 < size) {
        const ssize_t got = read(fd, text + filled, size - 1 - filled);
        if (got <= 0)
            break;
        filled += static_cast<std::size_t>(got);
    }
    if (fd >= 0)
        close(fd);
    text[filled] = '\0';
    errno = saved;
    return filled != 0;
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
