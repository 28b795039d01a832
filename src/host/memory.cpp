#include "host/memory.hpp"

#include <cerrno>
#include <sys/uio.h>
#include <unistd.h>

namespace bsl::host
{

bool read_own_memory(std::uintptr_t from, void* to, std::size_t size)
{
    const int saved = errno;
    const iovec here{to, size};
    const iovec there{reinterpret_cast<void*>(from), size};
    const ssize_t n = process_vm_readv(getpid(), &here, 1, &there, 1, 0);
    errno = saved;
    return n >= 0 && static_cast<std::size_t>(n) == size;
}

} // namespace bsl::host
