#pragma once

/// What tests with simulated memory nodes have in common.  Each case is a process of its own.

#include "arena/node.hpp"
#include "slab/kmem_cache.hpp"
#include "unit/api/pages.hpp"

#include <algorithm>
#include <sys/resource.h>
#include <unistd.h>

/// Before any thread.
inline void simulate_nodes(unsigned nr)
{
    bsl::set_up_nodes(nr);
    bsl::set_up_shards();
}

/// All processors are on this node from now on.
inline void move_to_node(unsigned node)
{
    for (unsigned cpu = 0; cpu < bsl::nr_mapped_cpus; ++cpu)
        bsl::set_cpu_node(cpu, node);
}

inline unsigned node_of(const void* p)
{
    return static_cast<unsigned>(bsl_page_to_nid(bsl_virt_to_page(p)));
}

/// The process gets no more address space, but so many bytes.
inline void refuse_more_memory(std::size_t but = 0)
{
    std::FILE* file = std::fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    if (file == nullptr || std::fscanf(file, "%lu", &pages) != 1)
        std::abort();
    std::fclose(file);
    const rlim_t size = pages * static_cast<unsigned long>(sysconf(_SC_PAGESIZE)) + but;
    const rlimit limit{size, size};
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        std::abort();
}

/// In a child: aborts with what was not so.
inline void must(bool is_so, const char* what)
{
    if (is_so)
        return;
    static_cast<void>(!write(STDERR_FILENO, what, std::strlen(what)));
    std::abort();
}

inline std::size_t free_pages_of(unsigned node)
{
    const bsl::zone* z = bsl::zone_at(bsl::zone_number(node, bsl::zone_type::normal));
    return z == nullptr ? 0 : std::size_t{z->counts().nr_free};
}

/// Uses up all pages, and frees each second one.  Returns how many objects of 256 bytes nearly fill them.
inline int leave_single_pages()
{
    std::vector<void*> taken;
    taken.reserve(100000);
    refuse_more_memory(16 * bsl::mib);
    while (void* one = pages_of(0))
        taken.push_back(one);
    must(taken.size() > 1000, "no pages");
    std::sort(taken.begin(), taken.end());
    for (std::size_t i = 0; i < taken.size(); i += 2)
        free_pages(taken[i], 0);
    constexpr std::size_t objects_per_page = page_bytes / 256;
    return static_cast<int>(taken.size() / 2 * objects_per_page * 9 / 10);
}
