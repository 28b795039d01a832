#include "base/bitmap.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <thread>
#include <vector>

using namespace bsl;

namespace
{

constexpr std::size_t nr_bits = 320;

/// Does the same to a bitmap and to a vector, and compares all that can be asked.
template <bitmap_access Access>
void compare_with_vector()
{
    static bitmap<nr_bits, Access> bits{};
    std::vector<bool> expected(nr_bits, false);
    std::mt19937 random(2);
    for (int step = 0; step < 20000; ++step) {
        const std::size_t first = random() % nr_bits;
        const std::size_t count = random() % (nr_bits - first + 1);
        const bool value = random() % 2 == 0;
        const auto begin = expected.begin() + static_cast<std::ptrdiff_t>(first);
        const auto end = begin + static_cast<std::ptrdiff_t>(count);
        if (random() % 2 == 0) {
            std::fill(begin, end, value);
            value ? bits.set(first, count) : bits.clear(first, count);
        }
        REQUIRE(bits.count(first, count) == static_cast<std::size_t>(std::count(begin, end, true)));
        REQUIRE(bits.find(first, first + count, value) ==
                static_cast<std::size_t>(std::find(begin, end, value) - expected.begin()));
        const auto last = std::find(std::make_reverse_iterator(end), expected.rend(), value);
        REQUIRE(bits.find_back(first + count, value) ==
                static_cast<std::size_t>(last.base() - expected.begin()));
        REQUIRE(bits.test(first) == expected[first]);
    }
}

} // namespace

TEST_CASE("a bitmap holds what was set and cleared")
{
    compare_with_vector<bitmap_access::owned>();
}

TEST_CASE("a shared bitmap holds what was set and cleared")
{
    compare_with_vector<bitmap_access::shared>();
}

TEST_CASE("the places where a run begins are those from which so many ones follow")
{
    std::mt19937 random(3);
    for (int round = 0; round < 300; ++round) {
        bitmap<nr_bits> bits{};
        for (int runs = 0; runs < 6; ++runs) {
            const std::size_t first = random() % nr_bits;
            bits.set(first, random() % (nr_bits - first + 1));
        }
        const std::size_t length = 1 + random() % (round % 2 == 0 ? 10 : nr_bits + 1);
        bitmap<nr_bits> starts = bits;
        starts.keep_starts(length);
        for (std::size_t i = 0; i < nr_bits; ++i)
            REQUIRE(starts.test(i) ==
                    (i + length <= nr_bits && bits.find(i, i + length, false) == i + length));
    }
}

TEST_CASE("threads that own different bits of a word do not disturb each other")
{
    static bitmap<64, bitmap_access::shared> bits{};
    auto toggle = [](unsigned first) {
        bool all = true;
        for (int i = 0; i < 100000; ++i) {
            const unsigned bit = first + 2 * static_cast<unsigned>(i % 32);
            bits.set(bit);
            all &= bits.test(bit);
            bits.clear(bit);
            all &= !bits.test(bit);
        }
        return all;
    };
    bool even = false;
    std::thread other([&] { even = toggle(0); });
    const bool odd = toggle(1);
    other.join();
    CHECK(even);
    CHECK(odd);
}
