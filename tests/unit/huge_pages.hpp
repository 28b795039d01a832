#pragma once

/// What the kernel was asked for, and what it is taken to cost: not what this machine needs for a page.

#include "arena/huge_pages.hpp"

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>

/// Single pages have taken so long of late.
inline void make_pages_take(std::uint64_t ns)
{
    for (int i = 0; i < 1000; ++i)
        bsl::costs_of_pages.note_pages(1, ns);
}

/// Has the mapping of an address this flag in /proc/self/smaps?  (hg: huge pages, nh: none)
inline bool has_flag(const void* at, const std::string& flag)
{
    std::ifstream maps("/proc/self/smaps");
    bool is_here = false;
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t start = 0;
        std::uintptr_t end = 0;
        char dash = 0;
        std::istringstream head(line);
        if (head >> std::hex >> start >> dash >> end && dash == '-')
            is_here = start <= reinterpret_cast<std::uintptr_t>(at) &&
                      reinterpret_cast<std::uintptr_t>(at) < end;
        else if (is_here && line.rfind("VmFlags:", 0) == 0)
            return (line + ' ').find(' ' + flag + ' ') != std::string::npos;
    }
    return false;
}

/// Does the kernel know of huge pages?
inline bool kernel_has_huge_pages()
{
    return access("/sys/kernel/mm/transparent_hugepage", F_OK) == 0;
}

/// Does it give them to those who ask?
inline bool kernel_gives_huge_pages()
{
    std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
    std::string modes;
    return std::getline(file, modes) && modes.find("[never]") == std::string::npos;
}
