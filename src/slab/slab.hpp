#pragma once

/// The bitmap of a slab: which of its objects are free.

#include "slab/kmem_cache.hpp"

namespace bsl
{

inline constexpr std::size_t pages_per_slab_max = nr_pages(slab_order_max);

/// The word of a slab's bitmap that has the bit of an object.
inline std::uint64_t& bitmap_word(page& head, unsigned index)
{
    return (&head)[index / objects_per_page_max].free_objects[index % objects_per_page_max / 64];
}

inline std::uint64_t bit_in_word(unsigned index)
{
    return std::uint64_t{1} << (index % 64);
}

/// Says how many bits of a slab's bitmap are set.
inline void set_nr_free(page& head, std::size_t n)
{
    constexpr unsigned nr_free_max = (1u << 15) - 1;
    static_assert(pages_per_slab_max * objects_per_page_max <= nr_free_max);
    head.nr_free = n & nr_free_max;
}

/// Which quarter full: 0 has the fewest free objects.
inline unsigned fullness(unsigned nr_free, unsigned nr_objects)
{
    const unsigned f = 4 * nr_free;
    return unsigned{f >= nr_objects} + unsigned{f >= 2 * nr_objects} +
           unsigned{f >= 3 * nr_objects};
}

/// Calls fn(word, mask) for the words of the bitmap that have the bits [first, first + count).
template <typename Fn>
void for_each_bitmap_word(page& head, unsigned first, unsigned count, Fn fn)
{
    while (count != 0) {
        const unsigned offset = first % 64;
        const unsigned here = count < 64 - offset ? count : 64 - offset;
        fn(bitmap_word(head, first), bit_run(offset, here));
        first += here;
        count -= here;
    }
}

} // namespace bsl
