#pragma once

/// What the tests of page frames have in common.

#include <buddyslab/malloc.h>
#include <buddyslab/pages.h>

#include "buddy/zonelist.hpp"
#include "heap/registry.hpp"
#include "unit/child.hpp"
#include "unit/memory.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

inline constexpr std::size_t page_bytes = BSL_PAGE_SIZE;

inline bool is_filled(const void* start, std::size_t size, int value)
{
    const auto* bytes = static_cast<const unsigned char*>(start);
    for (std::size_t i = 0; i < size; ++i) {
        if (bytes[i] != value)
            return false;
    }
    return true;
}

inline void validate_zone()
{
    bsl::for_each_malloc_zone([](bsl::zone& z) {
        bsl::mutex_guard guard(z.lock);
        z.validate();
    });
}

inline std::size_t pages_in_use()
{
    bsl_malloc_trim(0);
    std::size_t sum = 0;
    bsl::for_each_malloc_zone([&sum](bsl::zone& z) {
        sum += z.counts().nr_online * bsl::pages_per_pageblock - z.counts().nr_free;
    });
    return sum;
}

/// What the misuse must print, whole.
inline void check_message(const child_result& child, const std::string& wanted)
{
    CHECK(child.aborted());
    CHECK(child.text == "buddyslab: BUG " + wanted + "\n");
}

inline std::string text_of(const void* p)
{
    char text[32];
    std::snprintf(text, sizeof text, "%p", p);
    return text;
}

/// The compiler is not to say what is wrong with it: that is the library's part.
[[gnu::noipa]] inline void free_unseen(void* p)
{
    bsl_free(p);
}

inline void* pages_of(unsigned order)
{
    return reinterpret_cast<void*>(bsl_get_free_pages(BSL_GFP_KERNEL, order));
}

inline void free_pages(const void* p, unsigned order)
{
    bsl_free_pages(reinterpret_cast<unsigned long>(p), order);
}

/// Pages that the library itself may need for a thread: its heap and sheaves, on any shard.
inline constexpr std::size_t pages_for_a_thread = 8;
