#pragma once

/// What the program writes into its objects, and how it knows it again.
///
/// The content of an object depends on a key and on the place in the object, not on its address: it
/// can be checked wherever realloc() has moved it.  Small objects are written whole.  Of large ones
/// the first stretch, a word at the start of each page and the last bytes are: enough to notice any
/// page that comes or goes.

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace test
{

inline constexpr std::size_t whole_up_to = 8192;
inline constexpr std::size_t page_bytes = 4096;

constexpr std::uint64_t content_word(std::uint64_t key, std::size_t index)
{
    const std::uint64_t x = (key + index) * 0x9e3779b97f4a7c15;
    return x ^ x >> 29;
}

/// Calls fn(offset, bytes) for the parts of an object that are written, at most a word each.
template <typename Fn>
void for_each_part(std::size_t size, Fn fn)
{
    const std::size_t whole = size < whole_up_to ? size : whole_up_to;
    for (std::size_t at = 0; at < whole; at += 8)
        fn(at, whole - at < 8 ? whole - at : 8);
    for (std::size_t at = whole_up_to; at < size; at += page_bytes)
        fn(at, size - at < 8 ? size - at : 8);
    if (size > whole_up_to)
        fn((size - 1) / 8 * 8, (size - 1) % 8 + 1);
}

inline void write_content(void* object, std::size_t size, std::uint64_t key)
{
    for_each_part(size, [=](std::size_t at, std::size_t bytes) {
        const std::uint64_t word = content_word(key, at / 8);
        std::memcpy(static_cast<char*>(object) + at, &word, bytes);
    });
}

inline constexpr std::size_t no_difference = SIZE_MAX;

/// Where the first `kept` bytes of an object that was written with `size` bytes differ from that.
inline std::size_t find_difference(const void* object, std::size_t size, std::size_t kept,
                                   std::uint64_t key)
{
    std::size_t found = no_difference;
    for_each_part(size, [&](std::size_t at, std::size_t bytes) {
        const std::uint64_t word = content_word(key, at / 8);
        bytes = at >= kept ? 0 : kept - at < bytes ? kept - at : bytes;
        if (found == no_difference &&
            std::memcmp(static_cast<const char*>(object) + at, &word, bytes) != 0)
            found = at;
    });
    return found;
}

/// As find_difference(), from zeros.
inline std::size_t find_non_zero(const void* object, std::size_t size)
{
    std::size_t found = no_difference;
    for_each_part(size, [&](std::size_t at, std::size_t bytes) {
        const std::uint64_t zero = 0;
        if (found == no_difference &&
            std::memcmp(static_cast<const char*>(object) + at, &zero, bytes) != 0)
            found = at;
    });
    return found;
}

} // namespace test
