#include "base/text.hpp"

#include <catch2/catch.hpp>

using bsl::text_until;

TEST_CASE("text ends at the first separator of any kind, or at its end")
{
    CHECK(text_until("name=value", "=") == "name");
    CHECK(text_until("name", "=") == "name");
    CHECK(text_until("a\tb c", " \t") == "a");
    CHECK(text_until("=", "=").empty());
    CHECK(text_until("", "=").empty());
}
