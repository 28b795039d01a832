#include "base/bitops.hpp"

#include <catch2/catch.hpp>
#include <cstdint>

using namespace bsl;

TEST_CASE("roundings are the nearest multiples")
{
    bool all = true;
    for (std::size_t power = 1; power <= 4096; power *= 2) {
        for (std::size_t n = 0; n < 10000; ++n) {
            all &= round_down(n, power) == n / power * power;
            all &= round_up(n, power) == (n + power - 1) / power * power;
        }
    }
    CHECK(all);
    CHECK(div_round_up(0, 7) == 0);
    CHECK(div_round_up(7, 7) == 1);
    CHECK(div_round_up(8, 7) == 2);
}

TEST_CASE("logarithms enclose their number")
{
    bool all = true;
    for (std::size_t n = 1; n < 100000; ++n) {
        const std::size_t below = std::size_t{1} << ilog2(n);
        const std::size_t above = std::size_t{1} << ilog2_ceil(n);
        all &= below <= n && n < 2 * below && above / 2 < n && n <= above;
        all &= is_power_of_2(n) == (below == n);
    }
    CHECK(all);
    CHECK(ilog2(SIZE_MAX) == 63);
    CHECK_FALSE(is_power_of_2(0));
}

TEST_CASE("a bit run has its bits and no others")
{
    bool all = true;
    for (unsigned first = 0; first < 64; ++first) {
        for (unsigned count = 1; count <= 64 - first; ++count) {
            const std::uint64_t run = bit_run(first, count);
            for (unsigned bit = 0; bit < 64; ++bit)
                all &= (run >> bit & 1) == (bit >= first && bit < first + count);
            all &= lowest_bit(run) == first;
        }
    }
    CHECK(all);
}
