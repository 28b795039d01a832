/*
 * malloc and its family, under libc's names.
 *
 * These functions are the hot code itself, not wrappers of it.  The names carry no version: a
 * preloaded definition with one would interpose nothing (style of src/libbuddyslab.map).
 */
#include "heap/heap.hpp"
#include "host/vm.hpp"

#include <bit>
#include <cerrno>
#include <cstdint>

#define BSL_LIBC extern "C" [[gnu::visibility("default"), gnu::aligned(bsl::cache_line_size)]]

// Not all of these are declared by every libc, and never all in one header.
BSL_LIBC void* memalign(std::size_t alignment, std::size_t size);
BSL_LIBC void* pvalloc(std::size_t size);
BSL_LIBC void cfree(void* p);
BSL_LIBC void free_sized(void* p, std::size_t size);
BSL_LIBC void free_aligned_sized(void* p, std::size_t alignment, std::size_t size);

// glibc's own names for the same.  Programs that define malloc themselves, to count or to trace, call them and let
// go by free, which is ours where they do not define that too.
#pragma GCC visibility push(default)
extern "C" {
[[gnu::alias("malloc"), gnu::malloc, gnu::alloc_size(1)]] void*
__libc_malloc(std::size_t size) noexcept;
[[gnu::alias("free")]] void __libc_free(void* p) noexcept;
[[gnu::alias("calloc"), gnu::malloc, gnu::alloc_size(1, 2)]] void*
__libc_calloc(std::size_t nr, std::size_t size) noexcept;
[[gnu::alias("realloc"), gnu::alloc_size(2)]] void* __libc_realloc(void* p,
                                                                   std::size_t size) noexcept;
[[gnu::alias("memalign")]] void* __libc_memalign(std::size_t alignment, std::size_t size) noexcept;
[[gnu::alias("valloc"), gnu::malloc, gnu::alloc_size(1)]] void*
__libc_valloc(std::size_t size) noexcept;
[[gnu::alias("pvalloc")]] void* __libc_pvalloc(std::size_t size) noexcept;
}
#pragma GCC visibility pop

namespace
{

using bsl::is_power_of_2;

constexpr bool is_valid_alignment(std::size_t alignment)
{
    return is_power_of_2(alignment) && alignment % sizeof(void*) == 0;
}

void* out_of_memory()
{
    errno = ENOMEM;
    return nullptr;
}

} // namespace

BSL_LIBC void* malloc(std::size_t size)
{
    return bsl::heap::malloc(size);
}

BSL_LIBC void free(void* p)
{
    bsl::heap::free(p);
}

BSL_LIBC void* calloc(std::size_t nr, std::size_t size)
{
    return bsl::heap::calloc(nr, size);
}

BSL_LIBC void* realloc(void* p, std::size_t size)
{
    return bsl::heap::realloc(p, size, "realloc");
}

BSL_LIBC void* reallocarray(void* p, std::size_t nr, std::size_t size)
{
    std::size_t total = 0;
    if (__builtin_mul_overflow(nr, size, &total))
        return out_of_memory();
    return bsl::heap::realloc(p, total, "reallocarray");
}

namespace
{

/// As glibc: an alignment that is no power of two is rounded up to one.
[[gnu::noinline]] void* memalign_rounded(std::size_t alignment, std::size_t size)
{
    if (alignment > SIZE_MAX / 2 + 1) {
        errno = EINVAL;
        return nullptr;
    }
    return bsl::heap::aligned_alloc(std::bit_ceil(alignment), size);
}

} // namespace

BSL_LIBC void* memalign(std::size_t alignment, std::size_t size)
{
    if (!bsl::is_power_of_2(alignment)) [[unlikely]]
        return memalign_rounded(alignment, size);
    return bsl::heap::aligned_alloc(alignment, size);
}

BSL_LIBC void* aligned_alloc(std::size_t alignment, std::size_t size)
{
    return memalign(alignment, size);
}

BSL_LIBC int posix_memalign(void** out, std::size_t alignment, std::size_t size)
{
    if (!is_valid_alignment(alignment))
        return EINVAL;
    void* p = bsl::heap::aligned_alloc_quietly(alignment, size);
    if (p == nullptr)
        return ENOMEM;
    *out = p;
    return 0;
}

BSL_LIBC void* valloc(std::size_t size)
{
    return bsl::heap::aligned_alloc(bsl::host::page_size(), size);
}

BSL_LIBC void* pvalloc(std::size_t size)
{
    const std::size_t page = bsl::host::page_size();
    std::size_t total = 0;
    if (__builtin_add_overflow(size, page - 1, &total))
        return out_of_memory();
    return bsl::heap::aligned_alloc(page, bsl::round_down(total, page));
}

BSL_LIBC void cfree(void* p)
{
    bsl::heap::free_for(p, "cfree");
}

namespace
{

/// C23.  The class of the page is known in any case; the size is the caller's promise.
void free_with_promise(void* p, const char* call)
{
    if (bsl::page_classes.lookup(p) != 0)
        bsl::heap::free(p);
    else
        bsl::heap::free_for(p, call);
}

} // namespace

BSL_LIBC void free_sized(void* p, std::size_t)
{
    free_with_promise(p, "free_sized");
}

BSL_LIBC void free_aligned_sized(void* p, std::size_t, std::size_t)
{
    free_with_promise(p, "free_aligned_sized");
}
