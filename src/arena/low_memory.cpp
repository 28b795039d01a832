#include "arena/low_memory.hpp"

#include "arena/arena.hpp"
#include "arena/node.hpp"
#include "host/vm.hpp"

#include <algorithm>
#include <bit>

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

} // namespace

/// The first pageblock of all addresses is left alone.
char* map_below(std::uint64_t limit, std::size_t size, std::size_t alignment)
{
    if (size > limit)
        return nullptr;
    for (std::uint64_t at = round_down(limit - size, alignment); at >= pageblock_size;
         at -= alignment) {
        auto* start = reinterpret_cast<char*>(at);
        if (host::map_at(start, size))
            return start;
        if (at < alignment)
            break;
    }
    return nullptr;
}

bool grow_low_memory(std::uint8_t zone, unsigned node)
{
    const std::size_t most = arena_size_max / pageblock_size / 4;
    std::size_t nr_blocks = std::clamp<std::size_t>(std::bit_floor(blocks_of(zone)), 1, most);
    for (; nr_blocks != 0; nr_blocks /= 2) {
        char* start = map_below(low_memory_end, nr_blocks * pageblock_size, pageblock_size);
        if (start == nullptr)
            continue;
        bind_to_node(start, nr_blocks * pageblock_size, node);
        if (add_arena(start, nr_blocks, zone))
            return true;
        host::unmap(start, nr_blocks * pageblock_size);
        return false;
    }
    return false;
}

} // namespace bsl
