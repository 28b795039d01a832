#include "slab/cache_table.hpp"
#include "slab/size_class.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <string>

using namespace bsl;

TEST_CASE("every size has the smallest class that it fits into, and wastes little of it")
{
    bool fits = true;
    bool is_smallest = true;
    bool is_monotone = true;
    bool wastes_little = true;
    unsigned before = 0;
    for (std::size_t size = 1; size <= kmalloc_size_max; ++size) {
        const unsigned c = class_of(size);
        fits &= class_size(c) >= size;
        is_smallest &= c == 1 || class_size(c - 1) < size;
        is_monotone &= c >= before;
        // A fifth of the object; 15 bytes are a larger part of the smallest ones.
        wastes_little &= size <= 64 ? class_size(c) - size < malloc_alignment
                                    : 5 * (class_size(c) - size) <= class_size(c);
        before = c;
    }
    CHECK(fits);
    CHECK(is_smallest);
    CHECK(is_monotone);
    CHECK(wastes_little);
    CHECK(class_of(0) == class_of(1));
}

TEST_CASE("classes are multiples of 16, and the powers of two from 64 to 4M are among them")
{
    std::set<std::size_t> sizes;
    for (unsigned c = 1; c < nr_classes; ++c) {
        CHECK(class_size(c) % malloc_alignment == 0);
        CHECK(class_of(class_size(c)) == c);
        CHECK(kmalloc_cache(c).size() == class_size(c));
        CHECK(kmalloc_cache(c).size_class() == c);
        CHECK(sizes.insert(class_size(c)).second);
    }
    for (std::size_t size = 64; size <= kmalloc_size_max; size *= 2)
        CHECK(sizes.count(size) == 1);
}

TEST_CASE("caches have the kernel's names")
{
    const auto name_of_size = [](std::size_t size) {
        return std::string(kmalloc_cache(class_of(size)).name());
    };
    CHECK(name_of_size(16) == "kmalloc-16");
    CHECK(name_of_size(96) == "kmalloc-96");
    CHECK(name_of_size(1008) == "kmalloc-1008");
    CHECK(name_of_size(1024) == "kmalloc-1k");
    CHECK(name_of_size(1280) == "kmalloc-1280");
    CHECK(name_of_size(2048) == "kmalloc-2k");
    CHECK(name_of_size(32 * kib) == "kmalloc-32k");
    CHECK(name_of_size(40 * kib) == "kmalloc-40k");
    CHECK(name_of_size(1 * mib) == "kmalloc-1M");
    CHECK(name_of_size(1280 * kib) == "kmalloc-1280k");
    CHECK(name_of_size(4 * mib) == "kmalloc-4M");
    std::set<std::string> names;
    for (unsigned i = 1; i < nr_caches; ++i)
        CHECK(names.insert(std::string(all_caches[i].name())).second);
    CHECK(cache_for(own_cache::sheaf).name() == "sheaf");
}

TEST_CASE("a power of two is aligned to itself, as far as pages are")
{
    CHECK(natural_alignment(16) == 16);
    CHECK(natural_alignment(48) == 16);
    CHECK(natural_alignment(64) == 64);
    CHECK(natural_alignment(1536) == 512);
    CHECK(natural_alignment(4096) == 4096);
    CHECK(natural_alignment(32 * kib) == 4096);
}

TEST_CASE("the class of an aligned request is the smallest one that is large enough and aligned so")
{
    const auto smallest = [](std::size_t alignment, std::size_t size) {
        unsigned c = class_of(size);
        while (class_size(c) % alignment != 0)
            ++c;
        return c;
    };
    for (std::size_t alignment = 1; alignment <= bytes_per_page; alignment *= 2) {
        INFO("alignment " << alignment);
        bool is_smallest = true;
        for (std::size_t size = 0; size <= 64 * kib; ++size)
            is_smallest &= class_of_aligned(alignment, size) == smallest(alignment, size);
        for (std::size_t size = 64 * kib + 1; size <= kmalloc_size_max; size += 61)
            is_smallest &= class_of_aligned(alignment, size) == smallest(alignment, size);
        CHECK(is_smallest);
        CHECK(class_of_aligned(alignment, kmalloc_size_max) == nr_classes - 1);
    }
}

TEST_CASE("slabs waste at most an eighth, and a sheaf holds a bounded number of bytes")
{
    for (unsigned c = 1; c < nr_classes; ++c) {
        const kmem_cache& cache = kmalloc_cache(c);
        INFO(cache.name());
        CHECK(cache.sheaf_capacity() >= sheaf_objects_min);
        CHECK(cache.sheaf_capacity() <= sheaf_capacity_max);
        CHECK((cache.sheaf_capacity() == sheaf_objects_min ||
               cache.sheaf_capacity() * cache.size() <= sheaf_bytes_max));
        CHECK(cache.is_single() == (class_size(c) > slab_size_max));
        if (cache.is_single())
            continue;
        for (unsigned order = slab_order_min(cache.size()); order <= slab_order_max; ++order) {
            const std::size_t bytes = nr_pages(order) << page_shift;
            const std::size_t used = cache.objects_in(order) * cache.size();
            CHECK(cache.objects_in(order) == bytes / cache.size());
            if (order == slab_order_min(cache.size()))
                CHECK((bytes - used <= bytes / 8 || order == slab_order_max));
        }
    }
}
