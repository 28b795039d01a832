#include "buddy/pageset.hpp"
#include "buddy/zonelist.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace bsl;

namespace
{

std::string text_of(const zonelist& list)
{
    std::string text;
    for (unsigned i = 0; i < list.nr; ++i) {
        const std::uint8_t number = list.zones[i]->number();
        text += std::string{name_of_zone(number)} + std::to_string(node_of_zone(number)) + " ";
    }
    return text;
}

char* alloc(pageset& pages, unsigned node)
{
    zone& from = zone_of_node(node);
    for (;;) {
        if (char* start = pages.alloc(from, 0, migrate_type::slab))
            return start;
        REQUIRE(grow_arenas(1, from.number(), node));
    }
}

std::size_t pages_out(unsigned node)
{
    const zone_counts& counts = zone_of_node(node).counts();
    return counts.nr_online * pages_per_pageblock - counts.nr_free;
}

} // namespace

TEST_CASE("a zonelist has a node's zones downwards, then the other nodes' by distance")
{
    set_up_nodes(3);
    set_node_distance(0, 1, 40);
    set_node_distance(0, 2, 30);
    for (unsigned node = 0; node < 3; ++node) {
        zone_of_node(node);
        REQUIRE(make_zone(zone_number(node, zone_type::movable)) != nullptr);
    }
    REQUIRE(make_zone(zone_number(0, zone_type::dma32)) != nullptr);
    REQUIRE(make_zone(zone_number(1, zone_type::dma32)) != nullptr);
    CHECK(text_of(zonelist_of(0, zone_type::normal, false)) ==
          "Normal0 DMA320 Normal2 Normal1 DMA321 ");
    CHECK(text_of(zonelist_of(1, zone_type::normal, false)) ==
          "Normal1 DMA321 Normal2 Normal0 DMA320 ");
    CHECK(text_of(zonelist_of(1, zone_type::dma32, false)) == "DMA321 DMA320 ");
    CHECK(text_of(zonelist_of(2, zone_type::normal, true)) == "Normal2 ");
}

TEST_CASE("a pageset has pages of one zone, and gives them back when its thread moves")
{
    set_up_nodes(2);
    pageset pages;
    char* of_0[3];
    for (char*& p : of_0)
        p = alloc(pages, 0);
    pages.free(zone_of_node(0), of_0[0], 1);
    REQUIRE(pages.nr_pages_held() > 0);
    const std::size_t held = pages.nr_pages_held();
    const std::size_t out_0 = pages_out(0);
    char* of_1 = alloc(pages, 1);
    CHECK(node_of(of_1) == 1);
    CHECK(pages_out(0) == out_0 - held);
    const std::size_t held_of_1 = pages.nr_pages_held();
    pages.free(zone_of_node(0), of_0[1], 1); // not kept: it is another zone's
    CHECK(pages.nr_pages_held() == held_of_1);
    CHECK(pages_out(0) == 1);
    pages.free(zone_of_node(0), of_0[2], 1);
    pages.free(zone_of_node(1), of_1, 1);
    pages.drain();
    CHECK(pages_out(0) == 0);
    CHECK(pages_out(1) == 0);
}
