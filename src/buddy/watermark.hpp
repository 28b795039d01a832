#pragma once

/// Watermarks: how much of a zone should be free.
///
///     high    what reclaim stops at
///     low     below it reclaim begins, before a request fails
///     min     for GFP_ATOMIC alone
///
/// In the kernel a zone has what memory it has.  Here it grows as long as the system gives memory, so that
/// low and high count only after the system has refused some (memory_is_short()); and what lies below min
/// is not compared at each request but kept apart, in the reserve (heap/frame_reserve.hpp), where those
/// who may take no lock find it.  The formula is that of __setup_per_zone_wmarks() in mm/page_alloc.c, with
/// the default watermark_scale_factor of 10: the distance from one mark to the next is a thousandth of the
/// zone, and a quarter of the reserve at least.

#include "buddy/zone_table.hpp"

namespace bsl
{

/// In pages.
struct watermarks
{
    std::size_t min;
    std::size_t low;
    std::size_t high;
};

/// Of a zone that has so many pages in its care.  Contiguous areas have none: nothing is reclaimed for them.
constexpr watermarks watermarks_for(zone_type type, std::size_t nr_managed)
{
    if (type == zone_type::movable)
        return {0, 0, 0};
    const std::size_t min = type == zone_type::normal ? reserve_pages : 0;
    const std::size_t part = nr_managed / 1000;
    const std::size_t distance = part > reserve_pages / 4 ? part : reserve_pages / 4;
    return {min, min + distance, min + 2 * distance};
}

/// Are fewer pages free than this mark says?  A guess, as zone::counts() is; never of an empty zone.
inline bool is_below(const zone& of, std::size_t watermarks::*mark)
{
    const std::size_t nr_online = of.counts().nr_online;
    const watermarks marks =
        watermarks_for(type_of_zone(of.number()), nr_online * pages_per_pageblock);
    return nr_online != 0 && of.counts().nr_free + marks.min < marks.*mark;
}

} // namespace bsl
