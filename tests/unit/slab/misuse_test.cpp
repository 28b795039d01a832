#include "unit/child.hpp"
#include "unit/slab/objects.hpp"

#include "base/format.hpp"
#include "buddy/zone.hpp"
#include "config/params.hpp"
#include "slab/debug.hpp"
#include "slab/misuse.hpp"

#include <algorithm>
#include <cstring>

using namespace bsl;

namespace
{

std::string hex(const void* p)
{
    format<40> text;
    return std::string(text.pointer(p).view());
}

/// The line that flushing these objects into the cache ends with.
std::string message_of_flush(const kmem_cache& cache, std::vector<void*> objects)
{
    const child_result result = in_child([&] { flush(cache, objects); });
    CHECK(result.aborted());
    return result.text;
}

/// "buddyslab: BUG free(0x…): "
std::string bug(const void* p)
{
    return "buddyslab: BUG free(" + hex(p) + "): ";
}

char* at(void* p, std::size_t offset)
{
    return static_cast<char*>(p) + offset;
}

} // namespace

TEST_CASE("an object that is free already is named")
{
    const kmem_cache& cache = cache_of_size(64);
    const std::vector<void*> objects = refill(cache, 5);
    flush(cache, {objects[3]});
    CHECK(message_of_flush(cache, {objects[3]}) ==
          bug(objects[3]) + "double free: object " + std::to_string(position(objects[3]).index) +
              " of cache kmalloc-64 at " + hex(objects[3]) + " is free already\n");
}

TEST_CASE("of objects in a row, the one that is free already is named")
{
    const kmem_cache& cache = cache_of_size(16); // a row is in several words of the bitmap
    const std::vector<void*> objects = take(cache, 100);
    std::vector<void*> row(objects.begin(), objects.begin() + sheaf_capacity_max);
    REQUIRE(position(row.front()).head == position(row.back()).head);
    REQUIRE(position(row.back()).index == position(row.front()).index + sheaf_capacity_max - 1);
    void* freed = row[50];
    flush(cache, {freed});
    const std::string expected = bug(freed) + "double free: object " +
                                 std::to_string(position(freed).index) +
                                 " of cache kmalloc-16 at " + hex(freed) + " is free already\n";
    CHECK(message_of_flush(cache, row) == expected);
    std::reverse(row.begin(), row.end());
    CHECK(message_of_flush(cache, row) == expected);
}

TEST_CASE("an object that comes twice in one flush is seen")
{
    const kmem_cache& cache = cache_of_size(64);
    const std::vector<void*> o = refill(cache, 5);
    for (const std::vector<void*>& given :
         {std::vector<void*>{o[1], o[1]}, {o[1], o[2], o[1]}, {o[2], o[0], o[1], o[2]}}) {
        CHECK(message_of_flush(cache, given).find("double free: object ") != std::string::npos);
    }
}

TEST_CASE("the middle of an object is told from its start")
{
    const kmem_cache& cache = cache_of_size(96);
    void* object = refill(cache, 2)[1];
    CHECK(message_of_flush(cache, {at(object, 17)}) ==
          bug(at(object, 17)) + "not the start of an object: 17 bytes into object " +
              std::to_string(position(object).index) + " of cache kmalloc-96, which starts at " +
              hex(object) + "\n");
}

TEST_CASE("what lies beside the objects of a slab is no object")
{
    const kmem_cache& cache = cache_of_size(96);
    void* object = refill(cache, 1)[0];
    const page* head = position(object).head;
    // 4096 is no multiple of 96: the rest behind the last object, or the colour before the first.
    char* rest = head->start + (nr_pages(head->order) << page_shift) - 16;
    if (position(rest).is_object)
        rest = head->start;
    REQUIRE_FALSE(position(rest).is_object);
    CHECK(message_of_flush(cache, {rest}) ==
          bug(rest) +
              "not the start of an object: beside the objects of a slab of cache kmalloc-96" +
              " at " + hex(head->start) + "\n");
}

TEST_CASE("an object of another cache is not taken")
{
    void* object = refill(cache_of_size(96), 1)[0];
    const std::string text = message_of_flush(cache_of_size(64), {object});
    CHECK(text.find(bug(object)) == 0);
    CHECK(text.find("of cache kmalloc-96, given back to cache kmalloc-64\n") != std::string::npos);
}

TEST_CASE("a page that is free holds no object")
{
    const kmem_cache& cache = cache_of_size(4096);
    const std::vector<void*> objects = take(cache, 50);
    flush(cache, objects);
    cache.shrink();
    CHECK(message_of_flush(cache, {objects[20]}) ==
          bug(objects[20]) +
              "no object is here: the page is free (freed before, or never allocated)\n");
}

TEST_CASE("slab_debug chooses the caches to check, and says what it does not understand")
{
    struct expectation
    {
        const char* value;
        bool checks_64;
        bool checks_1k;
        bool checks_those_of_programs;
        std::string text;
    };
    const std::string prefix = "buddyslab: BUDDYSLAB: slab_debug=";
    for (const expectation& e : {
             expectation{"", false, false, false, ""},
             expectation{"F", true, true, true, ""},
             expectation{"F,kmalloc-64", true, false, false, ""},
             expectation{"F,kmalloc-1k,kmalloc-64", true, true, false, ""},
             expectation{"F,nonsense,kmalloc-1k", false, true, false,
                         prefix + "F,nonsense,kmalloc-1k: no cache 'nonsense'\n"},
             expectation{"Z", false, false, false, prefix + "Z: expected F[,cache…]\n"},
         }) {
        INFO(e.value);
        const child_result result = in_child([&e] {
            std::strcpy(param.slab_debug, e.value);
            set_up_slab_debug();
            const bool right = is_checked(class_of(64)) == e.checks_64 &&
                               is_checked(class_of(1024)) == e.checks_1k &&
                               is_checked(0) == e.checks_those_of_programs;
            _exit(right ? 0 : 1);
        });
        CHECK(result.succeeded());
        CHECK(result.text == e.text);
    }
}
