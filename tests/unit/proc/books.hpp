#pragma once

/// What a snapshot finds by reading memory, and what the heap counts itself, are the same.

#include "proc/heap_totals.hpp"
#include "proc/snapshot.hpp"

#include <catch2/catch.hpp>

inline void check_sums(const bsl::books& sum, const bsl::heap_totals& counted)
{
    CHECK(sum.sum() == sum.mapped);
    CHECK(sum.mapped == counted.mapped());
    CHECK(sum.live + sum.live_windows == counted.in_use());
    CHECK(sum.cached == counted.cached_bytes);
    CHECK(sum.free_pages == counted.nr_pages_free_resident << bsl::page_shift);
    CHECK(sum.reserve == counted.nr_pages_reserve << bsl::page_shift);
}
