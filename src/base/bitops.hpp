#pragma once

/// Powers of two and bit runs.  Pure functions.
///
/// Compilers' own names where those of <bit> would do, too: these are defined for zero, and on the x86-64 baseline
/// test for it each time.

#include <cstddef>
#include <cstdint>

namespace bsl
{

/// Not std::has_single_bit(), which counts all bits: by a call, on the x86-64 baseline.
constexpr bool is_power_of_2(std::size_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

constexpr std::size_t round_down(std::size_t n, std::size_t power_of_2)
{
    return n & ~(power_of_2 - 1);
}

constexpr std::size_t round_up(std::size_t n, std::size_t power_of_2)
{
    return (n + power_of_2 - 1) & ~(power_of_2 - 1);
}

constexpr std::size_t div_round_up(std::size_t n, std::size_t d)
{
    return (n + d - 1) / d;
}

/// floor(log2(n)); n > 0.
constexpr unsigned ilog2(std::size_t n)
{
    // 63 minus it, of which compilers make one instruction this way.
    return 63 ^ static_cast<unsigned>(__builtin_clzll(n));
}

/// ceil(log2(n)); n > 0.
constexpr unsigned ilog2_ceil(std::size_t n)
{
    return n == 1 ? 0 : ilog2(n - 1) + 1;
}

/// Index of the lowest set bit; word != 0.
constexpr unsigned lowest_bit(std::uint64_t word)
{
    return static_cast<unsigned>(__builtin_ctzll(word));
}

/// Zeros above the highest set bit; word != 0.
constexpr unsigned leading_zeros(std::uint64_t word)
{
    return static_cast<unsigned>(__builtin_clzll(word));
}

/// How many bits are set.  Processors without an instruction for it (the x86-64 baseline) would get
/// a call of the compiler's library; words of one kind, the most frequent here, need neither.
constexpr unsigned count_bits(std::uint64_t word)
{
    if (word == 0 || word == ~std::uint64_t{0})
        return word == 0 ? 0 : 64;
    word -= word >> 1 & 0x5555555555555555;
    word = (word & 0x3333333333333333) + (word >> 2 & 0x3333333333333333);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f;
    return static_cast<unsigned>(word * 0x0101010101010101 >> 56);
}

/// `count` ones from bit `first` on; first + count <= 64.
constexpr std::uint64_t bit_run(unsigned first, unsigned count)
{
    return (count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1) << first;
}

} // namespace bsl
