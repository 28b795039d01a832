#pragma once

/// How often the program calls malloc and the like, and how much it asks for.
///
/// Counted only where somebody wants to know (report=exit, count_requests): every call takes the slow path then,
/// which is what threads find when their bins are no_bins (registry.cpp).

#include "config/limits.hpp"

#include <atomic>
#include <cstddef>

namespace bsl::heap
{

extern constinit bool calls_are_counted; ///< constant once the process has booted

/// Are calls counted?
inline bool counts_calls()
{
    return calls_are_counted;
}

/// Looks up what the parameters say; at boot.
void set_up_counting();

/// How often each entry point was called, if calls are counted.
template <typename Count>
struct counts_of_calls
{
    Count malloc;
    Count calloc;
    Count realloc;
    Count aligned;
    Count free;
};
using call_counts = counts_of_calls<std::size_t>;
call_counts counted_calls();

/// The counters themselves, for the entry points.
extern constinit counts_of_calls<std::atomic<std::size_t>> calls;

/// What was asked for of each class since the start, if calls are counted: for the loss to rounding.
struct class_requests
{
    std::atomic<std::size_t> nr;
    std::atomic<std::size_t> bytes;
    std::atomic<std::size_t> given; ///< bytes, after rounding
};
extern constinit class_requests requests[nr_classes];

/// Counts a request for `size` bytes that a class serves; nr_classes: none does.
void count_request(unsigned size_class, std::size_t size);

/// Counts a call, if calls are counted.
inline void count(std::atomic<std::size_t>& counter)
{
    if (counts_calls()) [[unlikely]]
        counter.fetch_add(1, std::memory_order_relaxed);
}

/// Counts a call that asks for `size` bytes.
void count(std::atomic<std::size_t>& counter, std::size_t size);

} // namespace bsl::heap
