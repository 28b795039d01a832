#include "unit/child.hpp"
#include "unit/memory.hpp"

#include "arena/arena.hpp"
#include "arena/class_map.hpp"
#include "arena/mem_section.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <sys/mman.h>
#include <sys/resource.h>
#include <thread>
#include <vector>

using namespace bsl;

namespace
{

/// The next pageblock; a new arena is made for it if need be.
pageblock& next_block()
{
    for (;;) {
        if (pageblock* block = bring_online())
            return *block;
        REQUIRE(grow_arenas(1));
    }
}

/// What a zone does before it lets a pageblock go.
void take_away(pageblock& block)
{
    block.state = pageblock_state::offline;
    REQUIRE(take_offline(block));
}

#if !defined(__SANITIZE_THREAD__)
/// Makes mappings, no two of which are one to the kernel, until it gives no more.
std::vector<void*> use_up_mappings()
{
    std::vector<void*> made;
    made.reserve(1 << 20);
    for (int protection = PROT_READ;; protection ^= PROT_READ) {
        void* at = mmap(nullptr, bytes_per_page, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED || made.size() == made.capacity())
            return made;
        made.push_back(at);
    }
}
#endif

} // namespace

TEST_CASE("there is no pageblock before the first arena, and then as many as asked for")
{
    REQUIRE(bring_online() == nullptr);
    CHECK(totals_of_arenas().nr_arenas == 0);
    REQUIRE(grow_arenas(3));
    const arena_totals totals = totals_of_arenas();
    CHECK(totals.nr_arenas == 1);
    CHECK(totals.mapped == 3 * pageblock_size);
    CHECK(totals.offline == 0);
    CHECK(totals.table_bytes >= 3 * (pages_per_pageblock * sizeof(page) + sizeof(pageblock)));
    CHECK(totals.lowest == newest_arena()->start);
    CHECK(totals.end == totals.lowest + 3 * pageblock_size);
    for (std::size_t i = 0; i < 3; ++i) {
        pageblock* block = bring_online();
        REQUIRE(block != nullptr);
        CHECK(block->start == totals.lowest + i * pageblock_size);
        CHECK(reinterpret_cast<std::uintptr_t>(block->start) % pageblock_size == 0);
        CHECK(block->state == pageblock_state::offline);
        CHECK(resident_pages(block->mem_map, pages_per_pageblock * sizeof(page)) <= 1);
    }
    CHECK(bring_online() == nullptr);
}

TEST_CASE("every address of a pageblock leads to its struct page")
{
    pageblock& block = next_block();
    bool all = true;
    for (std::size_t offset = 0; offset < pageblock_size; offset += 1000) {
        const char* at = block.start + offset;
        all &= owner_of(at).block == &block && owner_of(at).window == nullptr;
        all &= virt_to_page(at) == &block.mem_map[offset / bytes_per_page];
        all &= &pageblock_of(at) == &block;
        all &=
            pfn_to_address(address_to_pfn(at)) == block.start + round_down(offset, bytes_per_page);
    }
    CHECK(all);
    block.start[0] = 1;
    block.start[pageblock_size - 1] = 1;
}

TEST_CASE("struct pages of different pageblocks are different")
{
    REQUIRE(grow_arenas(4));
    std::vector<pageblock*> blocks;
    while (pageblock* block = bring_online())
        blocks.push_back(block);
    REQUIRE(blocks.size() >= 4);
    for (pageblock* a : blocks) {
        a->mem_map[0].start = a->start;
        a->mem_map[pages_per_pageblock - 1].start = a->start + 1;
    }
    for (pageblock* a : blocks) {
        CHECK(a->mem_map[0].start == a->start);
        CHECK(a->mem_map[pages_per_pageblock - 1].start == a->start + 1);
    }
}

TEST_CASE("what is not ours has no struct page")
{
    next_block();
    int local = 0;
    static int global = 0;
    for (const void* at :
         {static_cast<const void*>(nullptr), static_cast<const void*>(&local),
          static_cast<const void*>(&global), reinterpret_cast<const void*>(~0UL),
          reinterpret_cast<const void*>(1UL << 47), reinterpret_cast<const void*>((1UL << 47) - 1),
          static_cast<const void*>(totals_of_arenas().end)}) {
        INFO(at);
        CHECK(virt_to_page(at) == nullptr);
        CHECK(owner_of(at).block == nullptr);
        CHECK(owner_of(at).window == nullptr);
        CHECK(page_classes.lookup(at) == 0);
    }
}

TEST_CASE("a pageblock that is given back leaves nothing mapped, and comes back as itself")
{
    pageblock& block = next_block();
    while (bring_online() != nullptr) {
    }
    char* const start = block.start;
    const std::size_t mapped = totals_of_arenas().mapped;
    start[0] = 1;
    block.mem_map[7].order = 7;

    take_away(block);
    CHECK_FALSE(is_mapped(start));
    CHECK(owner_of(start).block == nullptr);
    CHECK(virt_to_page(start) == nullptr);
    CHECK(totals_of_arenas().offline == pageblock_size);

    REQUIRE(grow_arenas(1));
    CHECK(totals_of_arenas().offline == 0);
    CHECK(totals_of_arenas().mapped == mapped);
    REQUIRE(bring_online() == &block);
    CHECK(owner_of(start).block == &block);
    CHECK(start[0] == 0);
    CHECK(block.mem_map[7].order == 0);
}

TEST_CASE("addresses that were taken meanwhile do not come back")
{
    pageblock& block = next_block();
    while (bring_online() != nullptr) {
    }
    take_away(block);
    void* squatter = mmap(block.start, bytes_per_page, PROT_READ,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    REQUIRE(squatter == block.start);
    REQUIRE(grow_arenas(1));
    pageblock* other = bring_online();
    REQUIRE(other != nullptr);
    CHECK(other != &block);
    CHECK(totals_of_arenas().offline == pageblock_size);
    munmap(squatter, bytes_per_page);
}

TEST_CASE("arenas grow with the heap")
{
    while (totals_of_arenas().mapped < 64 * pageblock_size)
        REQUIRE(grow_arenas(1));
    const std::size_t before = totals_of_arenas().mapped;
    REQUIRE(grow_arenas(1));
    CHECK(totals_of_arenas().mapped - before >= before / arena_growth_part);
    CHECK(totals_of_arenas().mapped - before < before / arena_growth_part + pageblock_size);
}

TEST_CASE("under a limit of addresses arenas become smaller before they fail")
{
    const child_result result = in_child([] {
        while (totals_of_arenas().mapped < 64 * pageblock_size) {
            if (!grow_arenas(1))
                _exit(2);
        }
        const rlimit now{0, 0}; // nothing more at all
        rlimit limit{};
        getrlimit(RLIMIT_AS, &limit);
        limit.rlim_cur = now.rlim_cur;
        setrlimit(RLIMIT_AS, &limit);
        if (grow_arenas(1))
            _exit(3);
        FILE* statm = nullptr;
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_AS, &limit);
        statm = fopen("/proc/self/statm", "r");
        unsigned long pages = 0;
        if (statm == nullptr || fscanf(statm, "%lu", &pages) != 1)
            _exit(4);
        fclose(statm);
        // Room for two pageblocks and their tables, where eight would be next.
        limit.rlim_cur = pages * 4096 + 2 * pageblock_size + pageblock_size / 2;
        setrlimit(RLIMIT_AS, &limit);
        const std::size_t before = totals_of_arenas().mapped;
        if (!grow_arenas(1))
            _exit(5);
        const std::size_t grown = totals_of_arenas().mapped - before;
        _exit(grown >= pageblock_size && grown <= 2 * pageblock_size ? 0 : 6);
    });
    CHECK(result.status == 0);
}

TEST_CASE(
    "threads that grow the arenas at the same time do not put them outside of the class window")
{
    constexpr int nr_threads = 4;
    constexpr int nr_arenas = 25;
    std::vector<std::thread> threads;
    std::atomic<int> ready{0};
    std::atomic<bool> all_grew{true};
    for (int t = 0; t < nr_threads; ++t) {
        threads.emplace_back([&] {
            ++ready;
            while (ready != nr_threads) {
            }
            for (int i = 0; i < nr_arenas; ++i) {
                if (!grow_arenas(1))
                    all_grew = false;
            }
        });
    }
    for (std::thread& t : threads)
        t.join();
    CHECK(all_grew);
    for (const arena* a = newest_arena(); a != nullptr; a = a->next)
        CHECK(page_classes.covers(a->start));
}

#if !defined(__SANITIZE_THREAD__) // its shadows need mappings, too
TEST_CASE("a pageblock that the kernel does not take back stays what it is")
{
    REQUIRE(grow_arenas(3));
    next_block();
    pageblock& middle = next_block();
    middle.dirty.set(7, 1);
    const child_result result = in_child([&middle] {
        const std::vector<void*> mappings = use_up_mappings();
        const bool has_limit = mappings.size() != mappings.capacity();
        const bool was_taken =
            has_limit && take_offline(middle); // it would have to split the mapping
        for (void* at : mappings)
            munmap(at, bytes_per_page);
        const bool stayed = owner_of(middle.start).block == &middle && middle.dirty.test(7) &&
                            totals_of_arenas().offline == 0;
        _exit(!was_taken && stayed ? 0 : 1);
    });
    CHECK(result.succeeded());

    REQUIRE(take_offline(middle));
    CHECK(owner_of(middle.start).block == nullptr);
    CHECK(middle.dirty.count(0, pages_per_pageblock) == 0);
    CHECK(totals_of_arenas().offline == pageblock_size);
}
#endif
