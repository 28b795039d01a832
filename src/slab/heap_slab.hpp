#pragma once

/// A slab of a private heap: one block of pages, cut into equal objects.
///
/// It is the slab of kmem_cache.hpp with all that its owner has no need of left out.  No sheaf stands
/// before it: the bitmap is the fast path.  So a free object is known to be free at once, a slab has no
/// objects on their way elsewhere, and giving it back is giving back its block.
///
///     struct page        of a slab                                         of a run of pages
///       state            heap, in all pages                                heap, in the first page
///       colour           its class, 1 … 32, in all pages                   0
///       from cache on    number of its heap, in all pages                  the same, in the first page
///       order            of the block, in all pages                        of the block it was cut from
///       free_objects     bit i: object i is free; in the first page        (nr_run_pages)
///
/// The bitmap has 256 bits, all of them in the first struct page: one cache line is all that is touched
/// besides the object.
///
/// Classes are a quarter of a doubling apart, twice as wide as malloc's: a heap that lives for one request
/// has few objects of each, and a page for every class of them.
///
///     16, 32 … 128, 160, 192, 224, 256, 320 … 8192      classes 1 … 32
///
/// Lock: that of the heap.

#include "arena/page.hpp"
#include "slab/cache_table.hpp"

#include <array>
#include <cstring>

namespace bsl
{

inline constexpr std::size_t heap_object_max = 8 * kib;

namespace heap_classes
{
inline constexpr unsigned nr_fine = 8; ///< every 16 bytes up to here
inline constexpr unsigned steps = 4;   ///< of a doubling, above
inline constexpr std::size_t fine_max = nr_fine * malloc_alignment;
} // namespace heap_classes

constexpr std::size_t heap_class_size(unsigned c)
{
    using namespace heap_classes;
    if (c <= nr_fine)
        return c * malloc_alignment;
    const std::size_t base = fine_max << (c - nr_fine - 1) / steps;
    return base + ((c - nr_fine - 1) % steps + 1) * (base / steps);
}

/// The class of a request of at most heap_object_max bytes.
constexpr unsigned heap_class_of(std::size_t size)
{
    using namespace heap_classes;
    if (size <= fine_max)
        return static_cast<unsigned>((size + malloc_alignment - 1 + (size == 0)) /
                                     malloc_alignment);
    const unsigned doubling = ilog2(size - 1);
    const auto quarter = static_cast<unsigned>((size - 1) >> (doubling - ilog2(steps))) % steps;
    return nr_fine + 1 + (doubling - ilog2(fine_max)) * steps + quarter;
}

/// Class 0 is none.
inline constexpr unsigned nr_heap_classes = heap_class_of(heap_object_max) + 1;

static_assert(heap_class_of(0) == 1 && heap_class_of(16) == 1 && heap_class_of(17) == 2);
static_assert(heap_class_size(9) == 160 && heap_class_of(129) == 9 && heap_class_of(160) == 9);
static_assert(nr_heap_classes == 33 && heap_class_size(32) == heap_object_max);

/// How a class is laid out.
struct heap_slab_layout
{
    std::uint32_t size;
    std::uint32_t reciprocal; ///< as kmem_cache's
    std::uint8_t order_min;
    std::uint8_t order_max;                      ///< of slabs in a heap that has many
    std::uint16_t objects_in[nr_pageset_orders]; ///< a slab, by its order
};

constexpr std::array<heap_slab_layout, nr_heap_classes> make_heap_layouts()
{
    std::array<heap_slab_layout, nr_heap_classes> all{};
    for (unsigned c = 1; c < nr_heap_classes; ++c) {
        heap_slab_layout& l = all[c];
        const std::size_t size = heap_class_size(c);
        l.size = static_cast<std::uint32_t>(size);
        l.reciprocal = static_cast<std::uint32_t>(((std::uint64_t{1} << 32) + size - 1) / size);
        l.order_min = static_cast<std::uint8_t>(slab_order_min(size));
        l.order_max = l.order_min;
        for (unsigned order = 0; order < nr_pageset_orders; ++order)
            l.objects_in[order] = static_cast<std::uint16_t>((bytes_per_page << order) / size);
        while (l.order_max + 1u < nr_pageset_orders &&
               l.objects_in[l.order_max + 1u] <= objects_per_page_max)
            ++l.order_max;
    }
    return all;
}

inline constexpr std::array<heap_slab_layout, nr_heap_classes> heap_layouts = make_heap_layouts();
static_assert(heap_layouts[nr_heap_classes - 1].order_min < nr_pageset_orders);

/// Is it a slab?  Otherwise a run of pages; of a page whose state is `heap`.
inline bool is_heap_slab(const page& of)
{
    return of.colour != 0;
}

inline std::uint32_t heap_number(const page& of)
{
    static_assert(offsetof(page, cache) + sizeof(std::uint32_t) == sizeof(page));
    std::uint32_t number;
    std::memcpy(&number, &of.cache, sizeof number);
    return number;
}

inline void set_heap_number(page& of, std::uint32_t number)
{
    std::memcpy(reinterpret_cast<char*>(&of) + offsetof(page, cache), &number, sizeof number);
}

/// Pages of what begins at a page: a slab or run of a heap, or any other run or frame.
inline std::size_t nr_pages_from(const page& head)
{
    const bool is_slab = head.state == page_state::heap && is_heap_slab(head);
    return is_slab ? nr_pages(head.order) : head.nr_run_pages;
}

/// The first struct page of the slab that a page belongs to.
inline page& heap_slab_head(page& of, const void* address)
{
    return *(&of - (address_to_pfn(address) & (nr_pages(of.order) - 1)));
}

/// Takes the lowest free object; nullptr when there is none.
[[gnu::always_inline]] inline void* take_from_heap_slab(page& head, unsigned c)
{
    for (unsigned w = 0; w < objects_per_page_max / 64; ++w) {
        const std::uint64_t bits = head.free_objects[w];
        if (bits == 0)
            continue;
        head.free_objects[w] = bits & (bits - 1);
        return head.start + std::size_t{w * 64 + lowest_bit(bits)} * heap_layouts[c].size;
    }
    return nullptr;
}

inline bool is_full_heap_slab(const page& head)
{
    return (head.free_objects[0] | head.free_objects[1] | head.free_objects[2] |
            head.free_objects[3]) == 0;
}

/// The bits of word `w` of a slab whose objects are all free.
constexpr std::uint64_t all_free_in_word(unsigned objects, unsigned w)
{
    const unsigned n = objects - w * 64;
    return objects <= w * 64 ? 0 : n >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1;
}

inline bool is_empty_heap_slab(const page& head)
{
    const unsigned objects = heap_layouts[head.colour].objects_in[head.order];
    for (unsigned w = 0; w < objects_per_page_max / 64; ++w) {
        if (head.free_objects[w] != all_free_in_word(objects, w))
            return false;
    }
    return true;
}

inline unsigned nr_free_in_heap_slab(const page& head)
{
    unsigned n = 0;
    for (const std::uint64_t word : head.free_objects)
        n += count_bits(word);
    return n;
}

/// What an address in a slab is.
struct heap_object
{
    unsigned index;
    std::uint32_t offset; ///< of the address in the object
    bool is_object;       ///< false: it lies behind the last one
};

inline heap_object locate_in_heap_slab(const page& head, const void* address)
{
    const heap_slab_layout& l = heap_layouts[head.colour];
    const auto offset = static_cast<std::uint64_t>(static_cast<const char*>(address) - head.start);
    const auto index = static_cast<unsigned>(offset * l.reciprocal >> 32);
    return {index, static_cast<std::uint32_t>(offset - std::uint64_t{index} * l.size),
            index < l.objects_in[head.order]};
}

/// Makes a block of 2^order pages, whose first struct page says where it starts, a slab of class `c` of a
/// heap; and a block of nobody's again.
void make_heap_slab(page& head, unsigned order, unsigned c, std::uint32_t heap);
void unmake_heap_slab(page& head);

} // namespace bsl
