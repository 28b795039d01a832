#include "arena/memblock.hpp"

#include "base/cpu.hpp"
#include "config/limits.hpp"
#include "host/vm.hpp"

#include <atomic>
#include <cstdint>

namespace bsl
{

namespace
{

/// Enough for a small program: it then needs no mapping of ours at all for its tables.
constexpr std::size_t first_chunk_size = 8 * kib;
constexpr std::size_t chunk_size = 64 * kib;

alignas(cache_line_size) constinit char first_chunk[first_chunk_size];

/// A chunk being cut.  Chunks are linked by nobody: what is not handed out of one is lost when the
/// next begins, at most the size of one request.
struct chunk
{
    char* start;
    std::size_t size;
    std::atomic<std::size_t> used;
};

constinit chunk first{first_chunk, first_chunk_size, 0};
constinit std::atomic<chunk*> current{&first};
constinit std::atomic<std::size_t> mapped{0};

void* take(chunk& from, std::size_t size)
{
    std::size_t used = from.used.load(std::memory_order_relaxed);
    while (used + size <= from.size) {
        if (from.used.compare_exchange_weak(used, used + size, std::memory_order_relaxed))
            return from.start + used;
    }
    return nullptr;
}

/// Maps a chunk that has room for `size` bytes besides its own header.
chunk* map_chunk(std::size_t size)
{
    const std::size_t header = round_up(sizeof(chunk), cache_line_size);
    const std::size_t unit = size + header > chunk_size ? host::page_size() : chunk_size;
    const std::size_t total = round_up(size + header, unit);
    void* at = host::map(nullptr, total);
    if (at == nullptr)
        return nullptr;
    mapped.fetch_add(total, std::memory_order_relaxed);
    auto* made = new (at) chunk{static_cast<char*>(at), total, header};
    return made;
}

} // namespace

void* memblock_alloc(std::size_t size)
{
    size = round_up(size, cache_line_size);
    for (;;) {
        chunk* now = current.load(std::memory_order_acquire);
        if (void* at = take(*now, size))
            return at;
        chunk* next = map_chunk(size);
        if (next == nullptr)
            return nullptr;
        if (!current.compare_exchange_strong(now, next, std::memory_order_acq_rel)) {
            mapped.fetch_sub(next->size, std::memory_order_relaxed);
            host::unmap(next, next->size);
        }
    }
}

std::size_t memblock_mapped()
{
    return mapped.load(std::memory_order_relaxed);
}

constinit const std::atomic<std::size_t>* const memblock_mapped_at = &mapped;

} // namespace bsl
