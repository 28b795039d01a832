#include "heap/early.hpp"

#include "base/bitops.hpp"
#include "config/limits.hpp"
#include "heap/registry.hpp"
#include "host/vm.hpp"

#include <cstdint>

namespace bsl::heap
{

namespace
{

struct chunk
{
    chunk* next;
    char* free;
    char* end;
};

struct early_header
{
    alignas(malloc_alignment) std::size_t size;
};

/// Reached from the code itself, no table needed: it must not become visible.
constinit chunk* chunks = nullptr;

early_header& header_of(const void* p)
{
    return static_cast<early_header*>(const_cast<void*>(p))[-1];
}

/// Room for `size` bytes at an aligned address behind a header; nullptr if the chunk has too little.
char* place_in(const chunk& in, std::size_t size, std::size_t alignment)
{
    const auto first = reinterpret_cast<std::uintptr_t>(in.free) + sizeof(early_header);
    const std::size_t skipped = round_up(first, alignment) - first + sizeof(early_header);
    const auto room = static_cast<std::size_t>(in.end - in.free);
    return skipped <= room && size <= room - skipped ? in.free + skipped : nullptr;
}

bool add_chunk(std::size_t size)
{
    const std::size_t bytes = round_up(size + sizeof(chunk), early_chunk_size);
    auto* fresh = static_cast<chunk*>(host::map_before_relocation(bytes));
    if (fresh == nullptr)
        return false;
    *fresh = {chunks, reinterpret_cast<char*>(fresh + 1), reinterpret_cast<char*>(fresh) + bytes};
    chunks = fresh;
    return true;
}

} // namespace

bool is_early()
{
#ifdef __x86_64__
    // What the compiler loads for each access to this_thread; the language does not let us see it.
    std::ptrdiff_t offset = 0;
    asm("movq bsl_this_thread@gottpoff(%%rip), %0" : "=r"(offset));
    if (offset == 0)
        return true;
#endif
    this_thread.bins = &no_bins;
    return false;
}

void* early_alloc(std::size_t size, std::size_t alignment)
{
    size = size == 0 ? 1 : size;
    if (size > PTRDIFF_MAX / 2 || alignment > PTRDIFF_MAX / 4)
        return nullptr;
    alignment = alignment < malloc_alignment ? malloc_alignment : alignment;
    char* place = chunks == nullptr ? nullptr : place_in(*chunks, size, alignment);
    if (place == nullptr) {
        if (!add_chunk(size + alignment + sizeof(early_header)))
            return nullptr;
        place = place_in(*chunks, size, alignment);
    }
    chunks->free = place + round_up(size, malloc_alignment);
    header_of(place).size = size;
    return place;
}

void* early_realloc(void* p, std::size_t size)
{
    void* fresh = size == 0 && p != nullptr ? nullptr : early_alloc(size, malloc_alignment);
    if (fresh == nullptr || p == nullptr)
        return fresh;
    const std::size_t old = early_size(p);
    const auto* from = static_cast<const volatile char*>(p); // volatile: no memcpy, it is libc's
    auto* to = static_cast<volatile char*>(fresh);
    for (std::size_t i = 0; i < (old < size ? old : size); ++i)
        to[i] = from[i];
    return fresh;
}

std::size_t early_size(const void* p)
{
    for (const chunk* c = chunks; c != nullptr; c = c->next) {
        if (p > c && p < c->end)
            return header_of(p).size;
    }
    return 0;
}

} // namespace bsl::heap
