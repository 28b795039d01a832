#pragma once

/// One step of the model test: small, printable, replayable.
///
/// Every sequence of operations is a valid program, so that a fuzzer may choose them freely: a slot
/// that holds an object when a new one is made gives it up first, an operation on an empty slot does
/// nothing.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace test
{

inline constexpr unsigned nr_threads = 4; ///< thread 0 is the program's first
inline constexpr unsigned nr_slots = 256;

enum class action : std::uint8_t
{
    malloc,
    calloc,
    realloc, ///< of an empty slot: realloc(nullptr, n)
    aligned_alloc,
    free,
    usable_size,
    trim,
    drain,       ///< drain_all_threads()
    exit_thread, ///< the thread ends; the next operation on it starts another
    validate,    ///< every validate() there is
    fork,        ///< the child goes on alone for a while, and must end with balanced books
    nr
};

struct operation
{
    action what;
    std::uint8_t thread;
    std::uint8_t alignment_shift; ///< of aligned_alloc
    std::uint16_t slot;
    std::uint64_t size; ///< of what is allocated, or how many bytes trim keeps
};

/// One line of text, and back.
std::string to_text(const operation& op);
std::optional<operation> from_text(const std::string& line);

using operations = std::vector<operation>;

/// A sequence from a seed: mostly small sizes, all sizes, in phases of growth and decline.
operations generate(std::uint64_t seed, std::size_t count);

/// A sequence from arbitrary bytes; without fork.
operations decode(const std::uint8_t* data, std::size_t size);

} // namespace test
