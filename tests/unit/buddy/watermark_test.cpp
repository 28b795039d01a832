#include "buddy/watermark.hpp"

#include <catch2/catch.hpp>

using namespace bsl;

TEST_CASE("watermarks are a thousandth of the zone apart, and a quarter of the reserve at least")
{
    const watermarks small = watermarks_for(zone_type::normal, pages_per_pageblock);
    CHECK(small.min == reserve_pages);
    CHECK(small.low == reserve_pages + reserve_pages / 4);
    CHECK(small.high == reserve_pages + reserve_pages / 2);
    const watermarks large = watermarks_for(zone_type::normal, 2000000); // some 8 GiB
    CHECK(large.low == reserve_pages + 2000);
    CHECK(large.high == reserve_pages + 4000);
}

TEST_CASE("what has no reserve has no min, and contiguous areas have no watermarks")
{
    const watermarks low_memory = watermarks_for(zone_type::dma32, 100000);
    CHECK(low_memory.min == 0);
    CHECK(low_memory.low == 100);
    CHECK(low_memory.high == 200);
    CHECK(watermarks_for(zone_type::movable, 100000).high == 0);
}
