#include "proc/report.hpp"

#include "unit/proc/own_memory.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace bsl;

namespace
{

bool append(void* context, std::string_view text)
{
    static_cast<std::string*>(context)->append(text);
    return true;
}

std::string report(std::string_view name, const snapshot& heap)
{
    std::string text;
    stream to(append, &text);
    CHECK(print_report(to, name, {heap, own_memory, heap_root, own_workspace()}));
    return text;
}

} // namespace

TEST_CASE("a stream writes any length, in order, and aligns as printf does")
{
    std::string text;
    {
        stream to(append, &text);
        to.left("ab", 4).text("|").right("cd", 5).text("|").decimal(7, 3).text("|");
        to.left_decimal(8, 3).text("|").right("longer", 2).text("\n");
        for (int i = 0; i < 1000; ++i)
            to.text("0123456789");
    }
    CHECK(text.substr(0, 24) == "ab  |   cd|  7|8  |longe");
    CHECK(text.size() == 26 + 10000);
    CHECK(text.substr(text.size() - 13) == "7890123456789");
}

TEST_CASE("a stream that cannot write says so")
{
    stream to([](void*, std::string_view) { return false; }, nullptr);
    to.text("x");
    CHECK_FALSE(to.flush());
}

TEST_CASE("the kernel's lines, byte for byte")
{
    auto heap = std::make_unique<snapshot>();
    cache_figures& c = heap->caches[7];
    std::snprintf(c.name, sizeof c.name, "kmalloc-112");
    c.size = 112;
    c.nr_slabs = 3;
    c.nr_active_slabs = 2;
    c.nr_pages = 4;
    c.nr_resident = 3;
    c.nr_objects = 145;
    c.nr_free = 40;
    c.nr_cached = 5;
    const std::string slabs = report("slabinfo", *heap);
    CHECK(slabs.substr(slabs.find("kmalloc")) ==
          "kmalloc-112          100    145    112   48    1 : tunables    0    0    0 : slabdata "
          "     2      3      0\n");

    zone_figures& normal = heap->zones[malloc_zone];
    normal.exists = true;
    normal.free_blocks[0][0][0] = 3;
    normal.free_blocks[1][0][1] = 4;
    normal.free_blocks[2][10][1] = 12;
    normal.nr_untouched = 5;
    const std::string line = "Node 0, zone   Normal      7      0      0      0      0      0 "
                             "     0      0      0      0     17 \n";
    CHECK(report("buddyinfo", *heap) == line);
    for (const std::uint8_t number :
         {zone_number(0, zone_type::dma32), zone_number(1, zone_type::movable)})
        heap->zones[number].exists = true;
    const std::string zeros = "      0      0      0      0      0      0      0      0      0"
                              "      0      0 \n";
    CHECK(report("buddyinfo", *heap) ==
          "Node 0, zone    DMA32" + zeros + line + "Node 1, zone  Movable" + zeros);
    normal.nr_blocks_of_type[2] = 12;
    const std::string types = report("pagetypeinfo", *heap);
    CHECK(types.find("Node    0, zone   Normal, type          Run      4      0 ") !=
          std::string::npos);
    CHECK(types.find("Node 0, zone   Normal            0            0           12 \n") !=
          std::string::npos);
}

TEST_CASE("books that are made of any figures balance")
{
    auto heap = std::make_unique<snapshot>();
    cache_figures& c = heap->caches[7];
    c.size = 112;
    c.nr_slabs = 1;
    c.nr_pages = 8;
    c.nr_resident = 1; // fewer than its objects need: pages were read at different times
    c.nr_objects = 292;
    c.nr_free = 2;
    heap->all.nr_blocks = 1;
    heap->all.nr_free_clean = pages_per_pageblock - 8;
    const books sum = heap->balance();
    CHECK(sum.live == 290 * 112);
    CHECK(sum.slab_free == 0);
    CHECK(sum.sum() == sum.mapped);
}

TEST_CASE("requests of a number that makes no sense are not divided by")
{
    auto heap = std::make_unique<snapshot>();
    heap->caches[7].size = 112;
    heap->caches[7].nr_requests = std::size_t{1} << 60; // times the size, nothing is left of it
    CHECK(report("text", *heap).find("requests of") == std::string::npos);
}

TEST_CASE("there are no other reports")
{
    CHECK(is_report("json"));
    CHECK_FALSE(is_report("xml"));
    CHECK_FALSE(is_report(""));
}
