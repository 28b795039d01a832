#include <buddyslab/version.h>

#include <catch2/catch.hpp>
#include <cstdio>

TEST_CASE("the library tells the version of its headers")
{
    char expected[32];
    std::snprintf(expected, sizeof expected, "%d.%d.%d", BSL_VERSION_MAJOR, BSL_VERSION_MINOR,
                  BSL_VERSION_PATCH);
    CHECK(bsl_version() == std::string(expected));
    CHECK(BSL_VERSION_NUMBER / 100 % 100 == BSL_VERSION_MINOR);
}
