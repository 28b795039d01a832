#include <buddyslab/buddyslab.hpp>

#include <catch2/catch.hpp>
#include <deque>
#include <list>
#include <map>
#include <memory_resource>
#include <string>
#include <unordered_map>
#include <vector>

namespace
{

struct line_of_numbers
{
    alignas(64) int numbers[16];
};

template <typename T>
using alloc = buddyslab::allocator<T>;

} // namespace

TEST_CASE("standard containers live on the allocator")
{
    std::vector<int, alloc<int>> numbers;
    for (int i = 0; i < 100000; ++i)
        numbers.push_back(i);
    std::map<int, std::string, std::less<>, alloc<std::pair<const int, std::string>>> map;
    std::list<int, alloc<int>> list(numbers.begin(), numbers.begin() + 1000);
    std::unordered_map<int, int, std::hash<int>, std::equal_to<>, alloc<std::pair<const int, int>>>
        hash;
    std::deque<line_of_numbers, alloc<line_of_numbers>> lines(100);
    for (int i = 0; i < 1000; ++i) {
        map.emplace(i, std::string(static_cast<size_t>(i % 50), 'x'));
        hash[i] = i;
    }
    CHECK(numbers.back() == 99999);
    CHECK(map.at(49).size() == 49);
    CHECK(hash.size() == 1000);
    CHECK(list.size() == 1000);
    CHECK(reinterpret_cast<uintptr_t>(&lines[50]) % 64 == 0);
    auto moved = std::move(map);
    CHECK(moved.size() == 1000);
    CHECK(alloc<int>() == alloc<long>());
    CHECK_THROWS_AS(alloc<int>().allocate(SIZE_MAX / 2), std::bad_array_new_length);
    CHECK_THROWS_AS(alloc<char>().allocate(size_t{1} << 62), std::bad_alloc);
}

TEST_CASE("pmr containers live on the heap and on a cache")
{
    buddyslab::memory_resource heap;
    buddyslab::memory_resource same;
    CHECK(heap == same);
    {
        std::pmr::vector<std::pmr::string> words(&heap);
        for (int i = 0; i < 1000; ++i)
            words.emplace_back("a string that is too long for the small buffer");
        CHECK(words[999].get_allocator().resource() == &heap);
    }
    buddyslab::cache_resource nodes(64, alignof(std::max_align_t), &heap);
    CHECK(!(nodes == heap));
    std::pmr::map<int, int> map(&nodes);
    std::pmr::vector<int> large(10000, 7, &nodes); // from upstream
    for (int i = 0; i < 10000; ++i)
        map[i * 7919 % 10007] = i;
    CHECK(map.size() == 10000);
    CHECK(large[9999] == 7);
}

TEST_CASE("pmr containers live on a private heap and go with it")
{
    for (unsigned flags : {0u, BSL_HEAP_ONE_THREAD}) {
        buddyslab::heap_resource heap("containers", flags);
        buddyslab::heap_resource other;
        CHECK(heap == heap);
        CHECK(!(heap == other));
        CHECK(!(heap == buddyslab::memory_resource()));
        std::pmr::vector<std::pmr::string> words(&heap);
        std::pmr::map<int, std::pmr::string> map(&heap);
        std::pmr::unordered_map<int, std::pmr::vector<int>> hash(&heap);
        std::pmr::vector<line_of_numbers> lines(&heap);
        for (int i = 0; i < 2000; ++i) {
            words.emplace_back("a string that is too long for the small buffer");
            map.emplace(i * 7919 % 2003, words.back());
            hash[i % 100].push_back(i);
            lines.emplace_back();
            if (i % 3 == 0)
                map.erase(i);
        }
        CHECK(words[1999].get_allocator().resource() == &heap);
        CHECK(map.rbegin()->second.get_allocator().resource() == &heap);
        CHECK(map.rbegin()->second == words[0]);
        CHECK(hash.at(42).size() == 20);
        CHECK(reinterpret_cast<uintptr_t>(&lines[1000]) % 64 == 0);
        std::pmr::string moved_here(words[0], &other); // another resource: copied
        moved_here = std::move(words[1]);
        CHECK(moved_here == words[0]);
        CHECK(moved_here.get_allocator().resource() == &other);
        bsl_heap_stats stats{};
        stats.size = sizeof stats;
        REQUIRE(bsl_heap_get_stats(heap.native_handle(), &stats) == 0);
        CHECK(stats.nr_objects > 4000);
    }
    CHECK_THROWS_AS(buddyslab::heap_resource("flags", 0x800), std::bad_alloc);
}

TEST_CASE("what a private heap's containers hold need not be destroyed")
{
    buddyslab::heap_resource heap("documents", BSL_HEAP_ONE_THREAD, size_t{4} << 20);
    for (int round = 0; round < 50; ++round) {
        using document = std::pmr::map<int, std::pmr::string>;
        void* at = heap.allocate(sizeof(document), alignof(document));
        auto* fields = new (at) document(&heap);
        for (int i = 0; i < 1000; ++i)
            fields->emplace(i, "a string that is too long for the small buffer");
        heap.release(); // and no destructor: all of it is gone
    }
    std::pmr::vector<char> bytes(&heap);
    CHECK_THROWS_AS(bytes.resize(size_t{5} << 20), std::bad_alloc);
    bytes.resize(size_t{1} << 20);
    CHECK(bytes.back() == 0);
}

namespace
{

struct counted
{
    static inline int live = 0;
    std::string text;
    explicit counted(const char* t) : text(t)
    {
        if (text == "throw")
            throw 7;
        ++live;
    }
    ~counted() { --live; }
};

struct table
{
    int squares[64];
    int uses;
};

struct table_hook
{
    static inline int runs = 0;
    static void construct(void* at) noexcept
    {
        ++runs;
        auto* made = new (at) table;
        for (int i = 0; i < 64; ++i)
            made->squares[i] = i * i;
        made->uses = 0;
    }
};

} // namespace

TEST_CASE("an object_cache makes objects and takes them back")
{
    {
        buddyslab::object_cache<counted> cache("counted", BSL_SLAB_NO_MERGE);
        std::vector<buddyslab::object_cache<counted>::pointer> objects;
        for (int i = 0; i < 100; ++i)
            objects.push_back(cache.make("a string that is too long for the small buffer"));
        CHECK(counted::live == 100);
        CHECK(cache.in_use() == 100);
        CHECK_THROWS_AS(cache.make("throw"), int);
        CHECK(cache.in_use() == 100);
        objects.clear();
        CHECK(counted::live == 0);
        CHECK(cache.in_use() == 0);
    }
    buddyslab::object_cache<table, table_hook> tables("tables");
    for (int i = 0; i < 1000; ++i) {
        auto t = tables.make();
        REQUIRE(t->squares[63] == 63 * 63);
        REQUIRE(t->uses == i); // the one freed last, as it was left
        ++t->uses;
    }
    CHECK(table_hook::runs < 100);
}

TEST_CASE("a unique_ptr of what kmalloc gave")
{
    buddyslab::unique_malloc_ptr<char> text(bsl_kstrdup("held", BSL_GFP_KERNEL));
    CHECK(std::string(text.get()) == "held");
}
