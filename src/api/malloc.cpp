#include <buddyslab/malloc.h>

#include "api/start.hpp"
#include "heap/heap.hpp"

#include <cerrno>

static_assert(BSL_MALLOC_ALIGNMENT == bsl::malloc_alignment);

namespace
{

void* fail(int error)
{
    errno = error;
    return nullptr;
}

} // namespace

void bsl_free(void* p) noexcept
{
    bsl::heap::free(p);
}

void bsl_free_sized(void* p, size_t) noexcept
{
    bsl::heap::free(p);
}

void* bsl_malloc(size_t size) noexcept
{
    return bsl::heap::malloc(size);
}

void* bsl_calloc(size_t nr, size_t size) noexcept
{
    return bsl::heap::calloc(nr, size);
}

void* bsl_realloc(void* p, size_t size) noexcept
{
    return bsl::heap::realloc(p, size, "bsl_realloc");
}

void* bsl_reallocarray(void* p, size_t nr, size_t size) noexcept
{
    size_t total = 0;
    if (__builtin_mul_overflow(nr, size, &total))
        return fail(ENOMEM);
    return bsl::heap::realloc(p, total, "bsl_reallocarray");
}

void* bsl_aligned_alloc(size_t alignment, size_t size) noexcept
{
    if (!bsl::is_power_of_2(alignment))
        return fail(EINVAL);
    return bsl::heap::aligned_alloc(alignment, size);
}

int bsl_posix_memalign(void** out, size_t alignment, size_t size) noexcept
{
    if (!bsl::is_power_of_2(alignment) || alignment % sizeof(void*) != 0)
        return EINVAL;
    void* p = bsl::heap::aligned_alloc_quietly(alignment, size);
    if (p == nullptr)
        return ENOMEM;
    *out = p;
    return 0;
}

size_t bsl_malloc_usable_size(const void* p) noexcept
{
    return bsl::heap::usable_size(p, "malloc_usable_size");
}

int bsl_malloc_trim(size_t keep) noexcept
{
    return bsl::heap::trim(keep) ? 1 : 0;
}
