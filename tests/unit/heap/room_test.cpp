#include "arena/arena.hpp"
#include "buddy/zone.hpp"
#include "heap/heap.hpp"
#include "heap/registry.hpp"
#include "heap/room.hpp"

#include <catch2/catch.hpp>
#include <thread>
#include <vector>

using namespace bsl;

namespace
{

/// Far more often than a request asks for what others keep.
constexpr unsigned often = 20;

std::size_t bytes_of_the_system()
{
    const arena_totals all = totals_of_arenas();
    return all.mapped - all.offline;
}

/// Every pageblock there is.
void take_all_blocks(std::vector<char*>& to)
{
    mutex_guard guard(zone_normal.lock);
    while (char* start = zone_normal.alloc_block(max_page_order, migrate_type::run))
        to.push_back(start);
}

void give_back(const std::vector<char*>& blocks)
{
    mutex_guard guard(zone_normal.lock);
    for (char* start : blocks)
        zone_normal.free_block(start, max_page_order);
}

} // namespace

TEST_CASE("a request whose memory others take first asks the system again")
{
    std::vector<char*> of_others;
    unsigned nr = 0;
    char* mine = heap::with_room([&]() -> char* {
        take_all_blocks(of_others);
        return ++nr <= often ? nullptr : of_others.back();
    });
    CHECK(mine != nullptr);
    CHECK(nr == often + 1);
    give_back(of_others);
    heap::trim(0);
}

TEST_CASE("threads that end all the time do not keep a request from the system's memory")
{
    const auto leave_an_orphan = [] {
        std::vector<void*> objects;
        for (unsigned i = 0; i < 100; ++i)
            objects.push_back(heap::malloc(16 * kib));
        for (void* object : objects)
            heap::free(object);
    };
    std::thread(leave_an_orphan).join(); // what it takes is there
    const std::size_t before = bytes_of_the_system();
    char something = 0;
    char* mine = heap::with_room([&]() -> char* {
        std::thread(leave_an_orphan).join();
        return bytes_of_the_system() == before ? nullptr : &something;
    });
    CHECK(mine != nullptr);
    heap::trim(0);
}

TEST_CASE("a request that nothing helps ends")
{
    unsigned nr = 0;
    const auto nothing = [&nr]() -> char* {
        ++nr;
        return nullptr;
    };
    CHECK(heap::with_room(nothing, [](unsigned) { return heap::room::freed; }) == nullptr);
    CHECK(nr > 1);
    CHECK(nr < often);
}
