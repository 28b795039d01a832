#include "model/operation.hpp"

#include "config/limits.hpp"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <random>
#include <sstream>

namespace test
{

namespace
{

constexpr const char* action_names[] = {"malloc", "calloc",      "realloc", "aligned_alloc",
                                        "free",   "usable_size", "trim",    "drain",
                                        "exit",   "validate",    "fork"};
static_assert(std::size(action_names) == static_cast<std::size_t>(action::nr));

constexpr unsigned size_shift_max = 26; ///< 64 MiB
constexpr unsigned alignment_shift_max = 24;

/// One sequence in so many is of large objects and windows.
constexpr std::uint64_t windows_each = 5;

using generator = std::mt19937_64;

std::uint64_t below(generator& random, std::uint64_t bound)
{
    return random() % bound;
}

/// Half of all sizes are at most 128 bytes, one in a few hundred is above 1 MiB.  Sizes around the
/// bounds of classes, pages and blocks are more frequent than chance would have them.
std::uint64_t random_size(generator& random)
{
    unsigned shift = 3;
    while (shift < size_shift_max && below(random, 100) < 76)
        ++shift;
    const std::uint64_t power = std::uint64_t{1} << shift;
    switch (below(random, 8)) {
    case 0:
        return power + below(random, 3) - 1;
    case 1:
        return power + power / 4 * below(random, 4) + below(random, 3) - 1;
    default:
        return below(random, power) + power / 2 * below(random, 2);
    }
}

/// Of windows: sizes near each other, so that they are cut from each other's remains.
std::uint64_t random_window_size(generator& random)
{
    const std::uint64_t step = std::uint64_t{1} << 18;
    return below(random, 4) == 0 ? random_size(random)
                                 : below(random, 48) * step + below(random, 9000);
}

/// The last operation's object grows into a window, which grows and moves.
void append_growth(operations& result)
{
    operation op = result.back();
    op.what = action::realloc;
    for (op.size = bsl::mib + op.slot; op.size < 64 * bsl::mib; op.size *= 2)
        result.push_back(op);
    op.what = action::free;
    result.push_back(op);
}

/// 0 … 127 -> 3 … 25, half of them below 9: large objects take most of the time.
constexpr unsigned decode_shift(unsigned n)
{
    return 3 + (n * n * 23 >> 14);
}
static_assert(decode_shift(127) == size_shift_max - 1);

/// A thread mostly stays the same for a while, as its objects then pile up in its sheaves.
operation random_operation(generator& random, unsigned thread, bool growing)
{
    operation op{};
    op.thread = static_cast<std::uint8_t>(thread);
    op.slot = static_cast<std::uint16_t>(below(random, nr_slots));
    op.size = random_size(random);
    op.alignment_shift = static_cast<std::uint8_t>(
        below(random, 32) == 0 ? below(random, alignment_shift_max + 1) : below(random, 14));
    const std::uint64_t rare = below(random, 3000);
    if (rare < 8) {
        constexpr action seldom[] = {action::trim,  action::drain, action::exit_thread,
                                     action::trim,  action::drain, action::exit_thread,
                                     action::drain, action::fork};
        op.what = seldom[rare];
        op.size = below(random, 2) * random_size(random);
        return op;
    }
    const std::uint64_t kind = below(random, 100);
    const std::uint64_t frees = growing ? 25 : 60;
    op.what = kind < frees        ? action::free
              : kind < frees + 8  ? action::realloc
              : kind < frees + 14 ? action::calloc
              : kind < frees + 18 ? action::aligned_alloc
              : kind < frees + 20 ? action::usable_size
                                  : action::malloc;
    return op;
}

} // namespace

std::string to_text(const operation& op)
{
    std::ostringstream line;
    line << action_names[static_cast<unsigned>(op.what)] << " thread=" << unsigned{op.thread}
         << " slot=" << op.slot << " size=" << op.size << " align=" << unsigned{op.alignment_shift};
    return line.str();
}

std::optional<operation> from_text(const std::string& line)
{
    char name[32] = "";
    unsigned thread = 0;
    unsigned slot = 0;
    unsigned shift = 0;
    unsigned long size = 0;
    if (std::sscanf(line.c_str(), "%31s thread=%u slot=%u size=%lu align=%u", name, &thread, &slot,
                    &size, &shift) != 5)
        return std::nullopt;
    const auto* at = std::find(std::begin(action_names), std::end(action_names), std::string(name));
    if (at == std::end(action_names))
        return std::nullopt;
    return operation{static_cast<action>(at - action_names), static_cast<std::uint8_t>(thread),
                     static_cast<std::uint8_t>(shift), static_cast<std::uint16_t>(slot), size};
}

operations generate(std::uint64_t seed, std::size_t count)
{
    generator random(seed);
    const bool has_windows = seed % windows_each == 0;
    operations result;
    unsigned thread = 0;
    bool growing = true;
    while (result.size() < count) {
        if (below(random, 20) == 0)
            thread = static_cast<unsigned>(below(random, nr_threads));
        if (below(random, 2000) == 0)
            growing = !growing;
        result.push_back(random_operation(random, thread, growing));
        if (has_windows) {
            result.back().size = random_window_size(random);
            result.back().slot %= nr_slots / 8;
            if (below(random, 40) == 0)
                append_growth(result);
            continue;
        }
        // A run of equal requests fills and empties sheaves, and makes and empties slabs.
        if (below(random, 200) == 0) {
            operation op = result.back();
            for (std::uint64_t n = below(random, 300); n != 0; --n) {
                op.slot = static_cast<std::uint16_t>((op.slot + 1) % nr_slots);
                if (op.what == action::malloc || op.what == action::free)
                    result.push_back(op);
            }
        }
    }
    return result;
}

/// Four bytes make an operation: what and thread, slot, and a size as shift and mantissa.  A size that
/// is read from bytes as it is would nearly always be huge.
operations decode(const std::uint8_t* data, std::size_t size)
{
    operations result;
    for (; size >= 4; data += 4, size -= 4) {
        operation op{};
        op.what = static_cast<action>((data[0] & 15) % static_cast<unsigned>(action::fork));
        op.thread = static_cast<std::uint8_t>(data[0] >> 4) % nr_threads;
        op.slot = data[1];
        const unsigned shift = decode_shift(data[2] & 0x7f);
        op.alignment_shift = static_cast<std::uint8_t>(shift < alignment_shift_max ? shift : 0);
        op.size = (std::uint64_t{1} << shift) + ((data[3] * (std::uint64_t{1} << shift)) >> 8);
        op.size -= (data[2] & 0x80) != 0 ? 1 : 0;
        if (op.what == action::trim && (data[3] & 1) == 0)
            op.size = 0;
        result.push_back(op);
        // The upper half of slots: as many times the same, on the slots that follow.
        for (unsigned n = op.slot >= 128 && op.what <= action::free ? data[3] % 64 : 0; n != 0;
             --n) {
            op.slot = static_cast<std::uint16_t>((op.slot + 1) % nr_slots);
            result.push_back(op);
        }
    }
    return result;
}

} // namespace test
