#pragma once

/// Request size -> size class, and back.  Pure arithmetic, all of it constant.
///
///     1 … 1024       every 16 bytes                            classes 1 … 64
///     … 4 MiB        8 per doubling: 1152, 1280, 1408, 1536 …  classes 65 … 160
///
/// The powers of two from 64 to 4M are among them.  Above 64 bytes at most 19 % of an object is lost
/// to rounding (65 bytes in 80), above 1 KiB at most a ninth.

#include "config/limits.hpp"

namespace bsl
{

/// Bytes of an object of a class.
constexpr std::size_t class_size(unsigned size_class)
{
    if (size_class <= nr_small_classes)
        return size_class * malloc_alignment;
    const unsigned step = size_class - nr_small_classes - 1;
    const std::size_t base = small_size_max << (step / steps_per_doubling);
    return base + (step % steps_per_doubling + 1) * (base / steps_per_doubling);
}

/// The class of a request of more than small_size_max and at most kmalloc_size_max bytes.
constexpr unsigned class_of_large(std::size_t size)
{
    const unsigned doubling = ilog2(size - 1);
    const std::size_t quarter = (size - 1) >> (doubling - ilog2(steps_per_doubling));
    return nr_small_classes + 1 + (doubling - ilog2(small_size_max)) * steps_per_doubling +
           static_cast<unsigned>(quarter % steps_per_doubling);
}

/// The class of any request that a class serves; a request of 0 bytes gets the smallest object.
constexpr unsigned class_of(std::size_t size)
{
    if (size <= small_size_max)
        return static_cast<unsigned>((size + malloc_alignment - 1 + (size == 0)) /
                                     malloc_alignment);
    return class_of_large(size);
}

/// The class of a request whose objects have to be aligned to a power of two of at most a page.  Where
/// objects are aligned as far as their size is, rounding the request up to the alignment is enough: a class
/// above the rounded size is the next multiple of its doubling's step, and of two powers of two one
/// divides the other.
constexpr unsigned class_of_aligned(std::size_t alignment, std::size_t size)
{
    const std::size_t rounded = round_up(size + (size == 0), alignment);
    if (rounded <= small_size_max) [[likely]] // which is not 0, as class_of()'s may be
        return static_cast<unsigned>(div_round_up(rounded, malloc_alignment));
    return class_of_large(rounded);
}

/// The largest power of two that divides an object's size: where objects follow each other from a
/// page's start, all of them are aligned to it.
constexpr std::size_t natural_alignment(std::size_t size)
{
    const std::size_t lowest = size & (~size + 1);
    return lowest < bytes_per_page ? lowest : bytes_per_page;
}

/// Classes whose objects come several to a slab; the classes above have slabs of one object.
inline constexpr unsigned nr_slab_classes = class_of(slab_size_max) + 1;

/// malloc's caches are numbered by their classes: is this the number of one whose slabs have one object each?
constexpr bool is_single_class(unsigned number)
{
    return number - nr_slab_classes < nr_classes - nr_slab_classes;
}

/// The class map's bytes: 0, malloc's classes, behind them the first caches of the program (the near ones), and one for
/// the first page of any of malloc's objects that has a slab of its own.  Bins of threads are numbered in the same
/// way; that of the last is as empty as that of 0.
inline constexpr unsigned single_map_class = nr_slab_classes + nr_near_caches;
inline constexpr unsigned nr_map_classes = single_map_class + 1;
static_assert(nr_map_classes <= 256);

/// Is this byte of the class map one of malloc's classes?
constexpr bool is_malloc_class(unsigned map_class)
{
    return map_class - 1 < nr_slab_classes - 1;
}

static_assert(class_of(0) == 1 && class_of(1) == 1 && class_of(16) == 1 && class_of(17) == 2);
static_assert(class_of(1024) == 64 && class_size(64) == 1024);
static_assert(class_of(1025) == 65 && class_size(65) == 1152);
static_assert(class_of(2048) == 72 && class_size(72) == 2048);
static_assert(class_of(kmalloc_size_max) == nr_classes - 1);
static_assert(class_size(nr_classes - 1) == kmalloc_size_max);

} // namespace bsl
