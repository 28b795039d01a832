#pragma once

/// Real memory for the tests of vmalloc: resident free blocks, patterns, and what the kernel says.

#include "arena/arena.hpp"
#include "arena/mem_section.hpp"
#include "buddy/zone.hpp"
#include "config/params.hpp"
#include "vmalloc/vmalloc.hpp"

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace test
{

inline char* alloc_block(unsigned order)
{
    for (;;) {
        {
            bsl::mutex_guard guard(bsl::zone_normal.lock);
            if (char* start = bsl::zone_normal.alloc_block(order, bsl::migrate_type::run))
                return start;
        }
        if (!bsl::grow_arenas(1))
            return nullptr;
    }
}

/// Frees a block whose pages have all been written.
inline void free_dirty_block(char* start, unsigned order)
{
    bsl::pageblock& block = bsl::pageblock_of(start);
    block.dirty.set(bsl::address_to_pfn(start) % bsl::pages_per_pageblock, bsl::nr_pages(order));
    bsl::mutex_guard guard(bsl::zone_normal.lock);
    bsl::zone_normal.free_block(start, order);
}

/// Leaves `nr` wholly free pageblocks that are resident and full of `byte`; returns where.
inline std::vector<char*> make_resident(std::size_t nr, int byte)
{
    std::vector<char*> blocks;
    for (std::size_t i = 0; i < nr; ++i) {
        blocks.push_back(alloc_block(bsl::max_page_order));
        std::memset(blocks.back(), byte, bsl::pageblock_size);
    }
    for (char* block : blocks)
        free_dirty_block(block, bsl::max_page_order);
    return blocks;
}

inline void validate_everything()
{
    bsl::validate_windows();
    bsl::mutex_guard guard(bsl::zone_normal.lock);
    bsl::zone_normal.validate();
}

/// VMAs that have a part of [from, to).
inline std::size_t count_vmas(const char* from, const char* to)
{
    std::FILE* file = std::fopen("/proc/self/maps", "r");
    std::size_t n = 0;
    void* start = nullptr;
    void* end = nullptr;
    while (std::fscanf(file, "%p-%p%*[^\n]", &start, &end) == 2)
        n += start < to && end > from;
    std::fclose(file);
    return n;
}

/// Pages of a range that are in memory.
inline std::size_t resident_pages(const void* p, std::size_t size)
{
    std::vector<unsigned char> pages(size / bsl::bytes_per_page);
    if (mincore(const_cast<void*>(p), size, pages.data()) != 0)
        return 0;
    std::size_t sum = 0;
    for (unsigned char page : pages)
        sum += page & 1;
    return sum;
}

/// Two words in every page, which depend on the seed and on the page's number.
inline void fill(void* p, std::size_t size, std::uint64_t seed)
{
    for (std::size_t at = 0; at < size; at += bsl::bytes_per_page) {
        const std::uint64_t word = seed * 0x9e3779b97f4a7c15u + at;
        std::memcpy(static_cast<char*>(p) + at, &word, sizeof word);
        std::memcpy(static_cast<char*>(p) + at + bsl::bytes_per_page - sizeof word, &word,
                    sizeof word);
    }
}

inline bool has_pattern(const void* p, std::size_t size, std::uint64_t seed)
{
    for (std::size_t at = 0; at < size; at += bsl::bytes_per_page) {
        const std::uint64_t word = seed * 0x9e3779b97f4a7c15u + at;
        const char* page = static_cast<const char*>(p) + at;
        if (std::memcmp(page, &word, sizeof word) != 0 ||
            std::memcmp(page + bsl::bytes_per_page - sizeof word, &word, sizeof word) != 0)
            return false;
    }
    return true;
}

inline bool is_zero(const void* p, std::size_t size)
{
    const char* bytes = static_cast<const char*>(p);
    return size == 0 || (bytes[0] == 0 && std::memcmp(bytes, bytes + 1, size - 1) == 0);
}

inline bsl::vm_area& window_of(const void* p)
{
    return *bsl::owner_of(p).window;
}

inline bool limit_to(int resource, std::size_t bytes)
{
    const rlimit limit{bytes, bytes};
    return setrlimit(static_cast<__rlimit_resource>(resource), &limit) == 0;
}

/// The exit status of a child that runs `body`.
template <typename Body>
int in_child(Body body)
{
    const pid_t child = fork();
    if (child == 0)
        _exit(body());
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

} // namespace test
