#include "unit/child.hpp"

#include <buddyslab/buddyslab.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>

TEST_CASE("statistics follow what the program does")
{
    bsl_stats before{};
    before.size = sizeof before;
    REQUIRE(bsl_get_stats(&before) == 0);
    void* object = bsl_malloc(1000);
    void* window = bsl_malloc(10 << 20);
    bsl_stats with{};
    with.size = sizeof with;
    REQUIRE(bsl_get_stats(&with) == 0);
    CHECK(with.size == sizeof with);
    CHECK(with.nr_objects == before.nr_objects + 1);
    CHECK(with.nr_windows == before.nr_windows + 1);
    CHECK(with.in_use >= before.in_use + 1000 + (10 << 20));
    CHECK(with.window_bytes >= before.window_bytes + (10 << 20));
    CHECK(with.in_use_peak >= with.in_use);
    CHECK(with.mapped >= with.in_use);
    CHECK(with.mapped_peak >= with.mapped);
    bsl_free(object);
    bsl_free(window);
    bsl_stats after{};
    after.size = sizeof after;
    REQUIRE(bsl_get_stats(&after) == 0);
    CHECK(after.in_use == before.in_use);
    CHECK(after.cached_windows >= 10 << 20);
}

TEST_CASE("a program that knows more members than the library gets zeros for them")
{
    struct
    {
        bsl_stats known;
        std::size_t unknown[4];
        std::size_t beyond;
    } larger{};
    std::memset(&larger, 0xff, sizeof larger);
    larger.known.size = sizeof larger - sizeof larger.beyond;
    REQUIRE(bsl_get_stats(&larger.known) == 0);
    for (std::size_t member : larger.unknown)
        CHECK(member == 0);
    CHECK(larger.beyond == SIZE_MAX);
    CHECK(larger.known.mapped_peak != SIZE_MAX);
}

TEST_CASE("a struct that is too small is refused and left alone")
{
    bsl_stats stats{};
    stats.size = sizeof stats - 1;
    stats.mapped = 1234;
    CHECK(bsl_get_stats(&stats) == -EINVAL);
    stats.size = 0;
    CHECK(bsl_get_stats(&stats) == -EINVAL);
    CHECK(stats.mapped == 1234);
}

TEST_CASE("the report can be had at any time")
{
    const child_result result = in_child([] { _exit(bsl_stats_print(STDERR_FILENO, nullptr)); });
    CHECK(result.succeeded());
    CHECK(result.text.find("buddyslab: calls: malloc ") == 0);
    CHECK(result.text.find("\nbuddyslab: returned: ") != std::string::npos);
    CHECK(bsl_stats_print(-1, "summary") == -EBADF);
}

TEST_CASE("the kernel's formats and those of programs can be had at any time")
{
    for (const char* format : {"text", "json", "prometheus", "slabinfo", "buddyinfo",
                               "pagetypeinfo", "vmallocinfo", "zoneinfo", "meminfo"}) {
        INFO(format);
        const child_result result =
            in_child([format] { _exit(bsl_stats_print(STDERR_FILENO, format)); });
        CHECK(result.succeeded());
        CHECK((result.text.empty() || result.text.back() == '\n'));
        CHECK((!result.text.empty() || std::string("vmallocinfo") == format)); // no window
        CHECK(bsl_stats_print(-1, format) == (result.text.empty() ? 0 : -EBADF));
    }
    CHECK(bsl_stats_print(STDERR_FILENO, "colourful") == -EINVAL);
}

TEST_CASE("parameters can be asked for by name")
{
    char text[20];
    CHECK(bsl_param_get("report", text, sizeof text) == 4);
    CHECK(std::string(text) == "none");
    CHECK(bsl_param_get("slab_debug", text, sizeof text) == 0);
    CHECK(std::string(text).empty());
    CHECK(bsl_param_get("report", text, 5) == 4);
    CHECK(bsl_param_get("report", text, 4) == -ENOSPC);
    CHECK(std::string(text) == "non");
    CHECK(bsl_param_get("report", text, 0) == -EINVAL);
    CHECK(bsl_param_get("no_such_name", text, sizeof text) == -ENOENT);
}
