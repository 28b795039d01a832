#include "heap/large_cache.hpp"

#include "heap/heap.hpp"
#include "heap/registry.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <thread>

using namespace bsl;

namespace
{

constexpr std::size_t size = 64 * kib;
constexpr std::size_t pages = size >> page_shift;
constexpr unsigned size_class = class_of(size);

/// An object that is in use, as free() would see it.
page& object()
{
    void* p = heap::malloc(size);
    REQUIRE(p != nullptr);
    return *single_object_at(p);
}

void give_back(page& head)
{
    heap::free(head.start);
}

/// Everything with no other thread in it.
class cache_of_one
{
public:
    mutex lock{lock_rank::thread};
    large_cache cache;

    unsigned steal()
    {
        mutex_guard guard(lock);
        unsigned n = 0;
        cache.steal([&n](page&) { ++n; });
        return n;
    }

    void open()
    {
        mutex_guard guard(lock);
        cache.open();
    }
};

} // namespace

TEST_CASE("a large object is kept, one of its class, and is taken by who needs as many pages")
{
    drain_all_threads();
    page& kept = object();
    page& other = object();
    cache_of_one of;
    REQUIRE(park(kept));
    REQUIRE(park(other));
    CHECK(of.cache.keep(kept));
    CHECK_FALSE(of.cache.keep(other));
    unpark(other);
    CHECK_FALSE(of.cache.is_empty());
    CHECK(of.cache.pages_of(size_class) == pages);

    CHECK(of.cache.take(size_class, pages + 1) == nullptr);
    CHECK(of.cache.take(size_class - 1, pages) == nullptr);
    CHECK(of.cache.take(size_class, pages) == &kept);
    CHECK_FALSE(is_free(kept));
    CHECK(of.cache.take(size_class, pages) == nullptr);
    CHECK(of.cache.is_empty());
    give_back(kept);
    give_back(other);
}

TEST_CASE("after a theft nothing is kept until its owner has taken note")
{
    drain_all_threads();
    page& head = object();
    cache_of_one of;
    CHECK(of.steal() == 0);
    CHECK_FALSE(of.cache.is_closed());

    REQUIRE(park(head));
    REQUIRE(of.cache.keep(head));
    CHECK(of.steal() == 1);
    CHECK_FALSE(is_free(head));
    CHECK(of.cache.is_closed());
    CHECK(of.cache.pages_of(size_class) == 0);
    CHECK(of.cache.take(size_class, pages) == nullptr);
    REQUIRE(park(head));
    CHECK_FALSE(of.cache.keep(head));

    of.open();
    CHECK_FALSE(of.cache.is_closed());
    CHECK(of.cache.is_empty());
    CHECK(of.cache.keep(head));
    CHECK(of.cache.take(size_class, pages) == &head);
    give_back(head);
}

namespace
{

/// Writes into each page.
void stamp(void* p, std::size_t bytes, char with)
{
    for (std::size_t at = 0; at < bytes; at += bytes_per_page)
        static_cast<volatile char*>(p)[at] = with;
}

bool is_stamped(void* p, std::size_t bytes, char with)
{
    for (std::size_t at = 0; at < bytes; at += bytes_per_page) {
        if (static_cast<volatile char*>(p)[at] != with)
            return false;
    }
    return true;
}

/// Takes and keeps objects of two classes, mostly without its slow path; how often did they overlap?
unsigned use_two_classes()
{
    constexpr std::size_t other_size = 40 * kib;
    void* one = heap::malloc(size);
    stamp(one, size, 1);
    void* other = heap::malloc(other_size);
    stamp(other, other_size, 2);
    const bool overlap = !is_stamped(one, size, 1);
    heap::free(one);
    heap::free(other);
    return overlap;
}

/// Frees an object whose class has one kept already, which a theft in that moment takes.
unsigned use_one_class_twice()
{
    void* one = heap::malloc(size);
    void* other = heap::malloc(size);
    heap::free(one);
    heap::free(other);
    return 0;
}

/// Calls use() in a thread from which everything is stolen meanwhile; the sum of what it returned.
unsigned rob_while(unsigned (*use)())
{
    std::atomic<bool> is_over{false};
    std::atomic<thread_heap*> heap_of_owner{nullptr};
    unsigned sum = 0;
    std::thread owner([&] {
        use();
        heap_of_owner = this_thread_heap();
        while (!is_over.load(std::memory_order_relaxed))
            sum += use();
    });
    while (heap_of_owner == nullptr)
        std::this_thread::yield();
    for (unsigned i = 0; i < 5000; ++i) {
        heap_of_owner.load()->drain_from_outside();
        std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
    is_over = true;
    owner.join();
    return sum;
}

std::size_t nr_objects_there_are()
{
    drain_all_threads();
    std::size_t n = 0;
    for (unsigned shard = 0; shard < nr_shards(); ++shard) {
        if (const kmem_cache_node* node = kmalloc_cache(size_class).node(shard))
            n += node->nr_slabs;
    }
    return n;
}

} // namespace

TEST_CASE("what a running thread keeps is stolen, and each object has one owner")
{
    CHECK(rob_while(use_two_classes) == 0);
}

TEST_CASE("no object is lost where one is freed while another of its class is stolen")
{
    const std::size_t before = nr_objects_there_are();
    rob_while(use_one_class_twice);
    CHECK(nr_objects_there_are() == before);
}
