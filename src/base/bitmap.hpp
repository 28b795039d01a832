#pragma once

/// Bitmaps of a fixed size.
///
/// A shared bitmap has atomic words: bits of different owners lie in one word, each bit has one
/// owner at a time.  Its accesses are relaxed: whoever hands a bit to another thread does so under a
/// lock.  A private bitmap belongs to one lock.

#include "base/bitops.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace bsl
{

enum class bitmap_access
{
    owned,
    shared
};

template <std::size_t Bits, bitmap_access Access = bitmap_access::owned>
class bitmap
{
    static_assert(Bits % 64 == 0);

public:
    bool test(std::size_t bit) const { return (load(bit / 64) >> (bit % 64) & 1) != 0; }

    void set(std::size_t first, std::size_t count = 1)
    {
        for_each_word(first, count, [this](std::size_t w, std::uint64_t mask) {
            if ((load(w) & mask) == mask)
                return; // a shared line is not dirtied for nothing
            if constexpr (Access == bitmap_access::shared)
                words_[w].fetch_or(mask, std::memory_order_relaxed);
            else
                words_[w] |= mask;
        });
    }

    void clear(std::size_t first, std::size_t count = 1)
    {
        for_each_word(first, count, [this](std::size_t w, std::uint64_t mask) {
            if ((load(w) & mask) == 0)
                return;
            if constexpr (Access == bitmap_access::shared)
                words_[w].fetch_and(~mask, std::memory_order_relaxed);
            else
                words_[w] &= ~mask;
        });
    }

    /// How many of the bits [first, first + count) are set?
    std::size_t count(std::size_t first, std::size_t count) const
    {
        std::size_t n = 0;
        for_each_word(first, count, [this, &n](std::size_t w, std::uint64_t mask) {
            n += count_bits(load(w) & mask);
        });
        return n;
    }

    /// The first bit in [from, end) whose value is `value`; `end` if there is none.
    std::size_t find(std::size_t from, std::size_t end, bool value) const
    {
        while (from < end) {
            const std::uint64_t word = load(from / 64);
            const std::uint64_t rest = (value ? word : ~word) >> (from % 64);
            if (rest != 0) {
                const std::size_t at = from + lowest_bit(rest);
                return at < end ? at : end;
            }
            from = round_down(from, 64) + 64;
        }
        return end;
    }

    /// The place behind the last bit in [0, end) whose value is `value`; 0 if there is none.
    std::size_t find_back(std::size_t end, bool value) const
    {
        while (end != 0) {
            const std::uint64_t word = load((end - 1) / 64);
            const std::uint64_t rest = (value ? word : ~word) << (63 - (end - 1) % 64);
            if (rest != 0)
                return end - leading_zeros(rest);
            end = round_down(end - 1, 64);
        }
        return 0;
    }

    /// Keeps a bit where `length` ones follow each other from it on: the places where a run of so many begins.
    void keep_starts(std::size_t length)
    {
        constexpr std::size_t nr_words = Bits / 64;
        std::uint64_t ones[nr_words + 1] = {}; // behind the bitmap there are none
        for (std::size_t w = 0; w < nr_words; ++w)
            ones[w] = load(w);
        for (std::size_t step, so_far = 1; so_far < length; so_far += step) {
            // A word and the next one tell no more than 63 steps.
            const std::size_t most = so_far < 64 ? so_far : 63;
            step = length - so_far < most ? length - so_far : most;
#pragma GCC unroll 1 // two words at once, which gcc does not see where it has unrolled
            for (std::size_t w = 0; w < nr_words; ++w)
                ones[w] &= ones[w] >> step | ones[w + 1] << (64 - step);
        }
        for (std::size_t w = 0; w < nr_words; ++w)
            words_[w] = ones[w];
    }

private:
    using word_type = std::conditional_t<Access == bitmap_access::shared,
                                         std::atomic<std::uint64_t>, std::uint64_t>;

    std::uint64_t load(std::size_t w) const
    {
        if constexpr (Access == bitmap_access::shared)
            return words_[w].load(std::memory_order_relaxed);
        else
            return words_[w];
    }

    template <typename Fn>
    static void for_each_word(std::size_t first, std::size_t count, Fn fn)
    {
        while (count != 0) {
            const auto offset = static_cast<unsigned>(first % 64);
            const std::size_t here = count < 64 - offset ? count : 64 - offset;
            fn(first / 64, bit_run(offset, static_cast<unsigned>(here)));
            first += here;
            count -= here;
        }
    }

    word_type words_[Bits / 64];
};

} // namespace bsl
