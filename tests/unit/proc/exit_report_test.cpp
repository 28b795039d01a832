#include "proc/exit_report.hpp"

#include "heap/heap.hpp"
#include "proc/heap_totals.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace bsl;

TEST_CASE("the report has its six lines, with the figures of the heap")
{
    void* window = heap::malloc(9 * mib);
    void* object = heap::malloc(50);
    report_text text;
    write_report(text);
    const heap_totals now = totals_of_heap();
    const auto n = [](std::size_t value) { return std::to_string(value); };
    CHECK(std::string(text.view()) ==
          "buddyslab: calls: malloc 0, calloc 0, realloc 0, aligned 0, free 0\n"
          "buddyslab: peak: " +
              n(now.peak_mapped) + " bytes mapped, " + n(now.peak_in_use) +
              " bytes in use\n"
              "buddyslab: pages: " +
              n(now.nr_pages_in_use) + " in use, " + n(now.nr_pages_free_resident) +
              " free resident, " + n(now.nr_pages_free_clean) +
              " free clean\n"
              "buddyslab: slabs: " +
              n(now.nr_slabs) + " live, " + n(now.nr_objects) +
              " objects in use\n"
              "buddyslab: windows: 1 made, 1 live, 0 stitched\n"
              "buddyslab: returned: 0 bytes to the system in 0 calls\n");
    heap::free(window);
    heap::free(object);
}

TEST_CASE("nothing is reported at the end unless it was asked for")
{
    CHECK_FALSE(reports_at_exit());
}
