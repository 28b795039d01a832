#include "arena/low_memory.hpp"

#include "arena/arena.hpp"
#include "host/vm.hpp"

#include <algorithm>

namespace bsl
{

namespace
{

std::size_t blocks_of(std::uint8_t zone)
{
    std::size_t sum = 0;
    for (const arena* a = newest_arena(); a != nullptr; a = a->next)
        sum += a->zone == zone ? a->nr_blocks : 0;
    return sum;
}

/// The highest free place for so many pageblocks.  The first pageblock of all addresses is left alone.
char* map_low(std::size_t nr_blocks)
{
    const std::uint64_t size = nr_blocks * pageblock_size;
    for (std::uint64_t at = low_memory_end - size; at >= pageblock_size; at -= pageblock_size) {
        auto* start = reinterpret_cast<char*>(at);
        if (host::map_at(start, size))
            return start;
    }
    return nullptr;
}

} // namespace

bool grow_low_memory(std::uint8_t zone)
{
    const std::size_t most = arena_size_max / pageblock_size / 4;
    std::size_t nr_blocks = std::clamp<std::size_t>(std::bit_floor(blocks_of(zone)), 1, most);
    for (; nr_blocks != 0; nr_blocks /= 2) {
        char* start = map_low(nr_blocks);
        if (start == nullptr)
            continue;
        if (add_arena(start, nr_blocks, zone))
            return true;
        host::unmap(start, nr_blocks * pageblock_size);
        return false;
    }
    return false;
}

} // namespace bsl
