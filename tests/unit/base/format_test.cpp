#include "base/format.hpp"

#include <catch2/catch.hpp>
#include <cinttypes>
#include <cstdio>
#include <random>

using bsl::format;

TEST_CASE("numbers are printed as printf prints them")
{
    std::mt19937_64 random(3);
    for (int i = 0; i < 10000; ++i) {
        const std::uint64_t value =
            i < 3 ? std::uint64_t{0} - static_cast<unsigned>(i) : random() >> (random() % 64);
        char expected[100];
        std::snprintf(expected, sizeof expected, "%" PRIu64 " %" PRId64 " 0x%" PRIx64, value,
                      static_cast<std::int64_t>(value), value);
        format<100> line;
        line.decimal(value).text(" ").signed_decimal(static_cast<std::int64_t>(value));
        line.text(" ").pointer(static_cast<std::uintptr_t>(value));
        REQUIRE(line.view() == expected);
    }
}

TEST_CASE("the least number of all has a sign and no overflow")
{
    format<40> line;
    CHECK(line.signed_decimal(INT64_MIN).view() == "-9223372036854775808");
}

TEST_CASE("what does not fit is cut off, and the text is terminated")
{
    format<8> line;
    CHECK(line.view().empty());
    CHECK(line.c_str()[0] == '\0');
    line.text("abcde").decimal(12345);
    CHECK(line.view() == "abcde12");
    CHECK(line.c_str()[7] == '\0');
    line.clear();
    CHECK(line.view().empty());
    CHECK(line.text("x").view() == "x");
}
