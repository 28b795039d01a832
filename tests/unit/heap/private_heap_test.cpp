#include "unit/proc/own_memory.hpp"

#include "heap/private_heap.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <thread>
#include <vector>

using namespace bsl;
using heap::private_heap;

namespace
{

private_heap& make(bool one_thread = false)
{
    heap::heap_options options{};
    options.name = "unit";
    options.one_thread = one_thread;
    private_heap* made = heap::make_heap(options);
    REQUIRE(made != nullptr);
    return *made;
}

/// Allocates and frees at random; a tenth is large.
void work(private_heap& on, std::vector<void*>& objects, std::mt19937& random, int steps)
{
    for (int i = 0; i < steps; ++i) {
        if (objects.empty() || random() % 3 != 0) {
            const std::size_t size = random() % 10 == 0 ? random() % 60000 : random() % 700;
            objects.push_back(heap::heap_alloc(on, size));
            continue;
        }
        const std::size_t at = random() % objects.size();
        heap::heap_free(on, objects[at], "free");
        objects[at] = objects.back();
        objects.pop_back();
    }
}

} // namespace

TEST_CASE("every request finds a class that holds it, and no smaller one does")
{
    for (std::size_t size = 0; size <= heap_object_max; ++size) {
        const unsigned c = heap_class_of(size);
        REQUIRE(heap_class_size(c) >= size);
        REQUIRE((c == 1 || heap_class_size(c - 1) < size));
        REQUIRE(heap_class_size(c) % malloc_alignment == 0);
    }
}

TEST_CASE("a slab hands out each of its objects once, and knows all of them")
{
    for (unsigned c = 1; c < nr_heap_classes; ++c) {
        const heap_slab_layout& l = heap_layouts[c];
        for (unsigned order = l.order_min; order <= l.order_max; ++order) {
            alignas(4096) static char memory[nr_pages(nr_pageset_orders - 1)][bytes_per_page];
            page pages[nr_pages(nr_pageset_orders - 1)] = {};
            pages[0].start = memory[0];
            make_heap_slab(pages[0], order, c, 0xabcdef);
            CHECK(is_empty_heap_slab(pages[0]));
            unsigned n = 0;
            while (void* object = take_from_heap_slab(pages[0], c)) {
                REQUIRE(object == memory[0] + n * l.size);
                const heap_object at =
                    locate_in_heap_slab(pages[0], static_cast<char*>(object) + l.size - 1);
                REQUIRE((at.is_object && at.index == n && at.offset == l.size - 1));
                ++n;
            }
            CHECK(n == l.objects_in[order]);
            CHECK(n * l.size <= nr_pages(order) << page_shift);
            CHECK((n + 1) * l.size > nr_pages(order) << page_shift);
            CHECK(is_full_heap_slab(pages[0]));
            CHECK(heap_number(pages[nr_pages(order) - 1]) == 0xabcdef);
            CHECK(nr_pages_from(pages[0]) == nr_pages(order));
            unmake_heap_slab(pages[0]);
            CHECK(pages[0].state == page_state::frame);
            CHECK(pages[0].nr_run_pages == nr_pages(order));
        }
    }
}

TEST_CASE("a heap is in order at any time")
{
    for (bool one_thread : {false, true}) {
        private_heap& on = make(one_thread);
        std::mt19937 random(5);
        std::vector<void*> objects;
        for (int round = 0; round < 60; ++round) {
            work(on, objects, random, 200);
            heap::validate(on);
            REQUIRE(heap::figures_of(on).nr_objects == objects.size());
        }
        for (void* object : objects)
            heap::heap_free(on, object, "free");
        heap::validate(on);
        CHECK(heap::figures_of(on).nr_objects == 0);
        heap::destroy_heap(on);
    }
}

TEST_CASE("a heap of many threads is in order")
{
    private_heap& on = make();
    std::vector<std::thread> threads;
    std::vector<std::vector<void*>> objects(4);
    for (unsigned t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            std::mt19937 random(t);
            for (int round = 0; round < 10; ++round) {
                work(on, objects[t], random, 300);
                heap::validate(on);
            }
        });
    }
    for (std::thread& one : threads)
        one.join();
    heap::validate(on);
    std::size_t nr = 0;
    for (const auto& of_thread : objects)
        nr += of_thread.size();
    CHECK(heap::figures_of(on).nr_objects == nr);
    heap::destroy_heap(on);
}

TEST_CASE("the pages of a heap are in the books as long as it has them")
{
    const auto before = look_at_own_heap();
    REQUIRE(before != nullptr);
    private_heap& on = make();
    std::mt19937 random(11);
    std::vector<void*> objects;
    work(on, objects, random, 3000);
    const std::size_t held = heap::figures_of(on).held;
    REQUIRE(held > 500 * kib);
    const auto with = look_at_own_heap();
    const auto live = [](const snapshot& of) {
        return of.zones[malloc_zone].nr_run_pages << page_shift;
    };
    CHECK(live(*with) == live(*before) + held);
    CHECK(with->balance().sum() == with->balance().mapped);
    CHECK(heap::totals_of_private_heaps().nr == 1);
    CHECK(heap::totals_of_private_heaps().held == held);
    heap::destroy_heap(on);
    const auto after = look_at_own_heap();
    CHECK(live(*after) == live(*before));
    CHECK(after->balance().sum() == after->balance().mapped);
    CHECK(heap::totals_of_private_heaps().nr == 0);
    CHECK(heap::totals_of_private_heaps().held == 0);
}

TEST_CASE("handles of one place differ, and thousands of heaps live at once")
{
    std::vector<private_heap*> heaps;
    for (int i = 0; i < 3000; ++i) {
        heaps.push_back(&make());
        REQUIRE(heap::heap_alloc(*heaps.back(), 100) != nullptr);
        REQUIRE(&heap::heap_numbered(heaps.back()->number) == heaps.back());
    }
    CHECK(heap::totals_of_private_heaps().nr == 3000);
    for (private_heap* one : heaps)
        heap::destroy_heap(*one);
    std::vector<std::uintptr_t> handles;
    for (std::size_t i = 0; i < heap::heap_descriptor_size - 1; ++i) {
        private_heap& one = make();
        const std::uintptr_t handle = one.handle.load();
        CHECK(&heap::heap_of_handle(handle, "test") == &one);
        handles.push_back(handle);
        heap::destroy_heap(one);
    }
    std::sort(handles.begin(), handles.end());
    CHECK(std::adjacent_find(handles.begin(), handles.end()) == handles.end());
}

TEST_CASE("the place that has been unused longest is used next")
{
    std::vector<private_heap*> heaps;
    for (int i = 0; i < 20; ++i)
        heaps.push_back(&make());
    const std::uintptr_t gone = heaps[0]->handle.load();
    for (private_heap* one : heaps)
        heap::destroy_heap(*one);
    for (std::size_t i = 0; i < 20 * (heap::heap_descriptor_size - 1); ++i) {
        private_heap& one = make();
        REQUIRE(&one == heaps[i % 20]);
        REQUIRE(one.handle.load() != gone);
        heap::destroy_heap(one);
    }
    CHECK(make().handle.load() == gone); // so it is said in heap.h
}
