#pragma once

/// A number that is written under a lock and read without it: never torn, perhaps old.

#include <atomic>

namespace bsl
{

template <typename T>
class counter
{
public:
    constexpr counter(T n = 0) : value_(n) {}
    counter(const counter& other) : value_(T{other}) {}
    counter& operator=(const counter& other) { return set(other); }

    operator T() const { return value_.load(std::memory_order_relaxed); }

    /// Lock held.  No read-modify-write instruction: there is one writer at a time.
    counter& operator+=(T n) { return set(*this + n); }
    counter& operator-=(T n) { return set(*this - n); }
    counter& operator++() { return *this += 1; }
    counter& operator--() { return *this -= 1; }

private:
    counter& set(T n)
    {
        value_.store(n, std::memory_order_relaxed);
        return *this;
    }

    std::atomic<T> value_;
};

} // namespace bsl
