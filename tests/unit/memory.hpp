#pragma once

/// What the kernel says of memory: is it mapped, does it hold frames?

#include <cstddef>
#include <cstdint>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

/// How many of the kernel's pages of [at, at + size), which is mapped, hold a frame.
inline std::size_t resident_pages(const void* at, std::size_t size)
{
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    std::vector<unsigned char> in_core(size / page);
    if (mincore(const_cast<void*>(at), size, in_core.data()) != 0)
        return SIZE_MAX;
    std::size_t n = 0;
    for (unsigned char flags : in_core)
        n += flags & 1;
    return n;
}

/// Is anything mapped at a page's start?
inline bool is_mapped(const void* at)
{
    unsigned char flags = 0;
    return mincore(const_cast<void*>(at), 1, &flags) == 0;
}
