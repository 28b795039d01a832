#include "arena/arena.hpp"
#include "arena/class_map.hpp"
#include "arena/mem_section.hpp"
#include "arena/memblock.hpp"
#include "vmalloc/vm_area.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <thread>
#include <vector>

using namespace bsl;

namespace
{

/// Addresses that nothing is at; the tables do not ask.
char* address(std::size_t slot)
{
    return reinterpret_cast<char*>(std::uintptr_t{0x100000000000} + slot * pageblock_size);
}

} // namespace

TEST_CASE("the section table tells pageblocks from windows, slot by slot")
{
    static pageblock blocks[300];
    static vm_area window;
    // Across the border of two sections.
    const std::size_t first = pageblocks_per_section - 100;
    REQUIRE(set_owner(address(first), 300, blocks));
    CHECK(owner_of(address(first) - 1).block == nullptr);
    CHECK(owner_of(address(first + 300)).block == nullptr);
    bool all = true;
    for (std::size_t i = 0; i < 300; ++i) {
        all &= owner_of(address(first + i)).block == &blocks[i];
        all &= owner_of(address(first + i + 1) - 1).block == &blocks[i];
    }
    CHECK(all);

    REQUIRE(set_owner(address(first + 10), 20, &window));
    CHECK(owner_of(address(first + 9)).block == &blocks[9]);
    CHECK(owner_of(address(first + 10)).window == &window);
    CHECK(owner_of(address(first + 10)).block == nullptr);
    CHECK(owner_of(address(first + 29)).window == &window);
    CHECK(owner_of(address(first + 30)).block == &blocks[30]);

    // What has another owner by now keeps it.
    clear_owner(address(first), 300, blocks);
    CHECK(owner_of(address(first + 9)).block == nullptr);
    CHECK(owner_of(address(first + 10)).window == &window);
    CHECK(owner_of(address(first + 29)).window == &window);
    CHECK(owner_of(address(first + 30)).block == nullptr);
    clear_owner(address(first), 300, &window);
    for (std::size_t i = 0; i < 300; ++i)
        all &= owner_of(address(first + i)).block == nullptr;
    CHECK(all);
}

TEST_CASE("the class map covers the first arena and answers 0 elsewhere")
{
    REQUIRE(grow_arenas(1));
    pageblock* block = bring_online();
    REQUIRE(block != nullptr);
    char* const page = block->start + 5 * bytes_per_page;
    REQUIRE(page_classes.covers(page));
    CHECK(page_classes.lookup(page) == 0);
    page_classes.set(page, 2, 33);
    CHECK(page_classes.lookup(page - 1) == 0);
    CHECK(page_classes.lookup(page) == 33);
    CHECK(page_classes.lookup(page + 2 * bytes_per_page - 1) == 33);
    CHECK(page_classes.lookup(page + 2 * bytes_per_page) == 0);
    page_classes.set(page, 1, 0);
    CHECK(page_classes.lookup(page) == 0);
    CHECK(page_classes.lookup(page + bytes_per_page) == 33);
    // Of what is outside nothing is kept, and nothing is written anywhere.
    page_classes.set(reinterpret_cast<char*>(page_classes.start + page_classes.span), 1, 33);
    CHECK(page_classes.lookup(reinterpret_cast<char*>(page_classes.start + page_classes.span)) ==
          0);
}

TEST_CASE("memblock hands out zeros that nobody else has")
{
    struct piece
    {
        unsigned char* at;
        std::size_t size;
    };
    std::vector<piece> pieces[2];
    auto take = [&](unsigned t) {
        for (std::size_t i = 1; i < 400; ++i) {
            const std::size_t size = i * 37 % 5000 + (i % 50 == 0 ? 100000 : 0);
            auto* at = static_cast<unsigned char*>(memblock_alloc(size));
            bool is_good = at != nullptr && reinterpret_cast<std::uintptr_t>(at) % 64 == 0;
            for (std::size_t k = 0; is_good && k < size; ++k)
                is_good = at[k] == 0;
            if (!is_good)
                return;
            std::memset(at, static_cast<int>(t * 100 + i % 100), size);
            pieces[t].push_back({at, size});
        }
    };
    std::thread other(take, 1);
    take(0);
    other.join();
    bool all = true;
    std::size_t sum = 0;
    for (unsigned t = 0; t < 2; ++t) {
        REQUIRE(pieces[t].size() == 399);
        for (std::size_t i = 0; i < pieces[t].size(); ++i) {
            const piece& p = pieces[t][i];
            for (std::size_t k = 0; k < p.size; ++k)
                all &= p.at[k] == t * 100 + (i + 1) % 100;
            sum += p.size;
        }
    }
    CHECK(all);
    CHECK(memblock_mapped() >= sum - 8 * kib);
    CHECK(memblock_mapped() <= 2 * sum);
}
