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
