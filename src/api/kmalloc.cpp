#include <buddyslab/kmalloc.h>
#include <buddyslab/vmalloc.h>

#include "api/gfp.hpp"
#include "api/start.hpp"
#include "heap/heap.hpp"
#include "heap/windows.hpp"

static_assert(BSL_KMALLOC_MAX_SIZE == bsl::kmalloc_size_max);

namespace
{

using namespace bsl;
using api::fail;

bool is_nothing(const void* p)
{
    return reinterpret_cast<std::uintptr_t>(p) <=
           reinterpret_cast<std::uintptr_t>(BSL_ZERO_SIZE_PTR);
}

void* writable(const void* p)
{
    return const_cast<void*>(p);
}

/// One attempt for flags that are valid.
void* attempt(size_t size, bsl_gfp_t gfp)
{
    const bool zeroed = (gfp & BSL_GFP_ZERO) != 0;
    if (api::may_wait(gfp))
        return zeroed ? heap::calloc(1, size) : heap::malloc(size);
    void* p = size > slab_size_max ? nullptr : heap::malloc_atomic(size);
    return p != nullptr && zeroed ? std::memset(p, 0, size) : p;
}

/// Any size.
void* alloc_any(size_t size, bsl_gfp_t gfp)
{
    if (!api::is_valid(gfp))
        return fail(EINVAL);
    void* p = nullptr;
    do
        p = attempt(size, gfp);
    while (p == nullptr && (gfp & BSL_GFP_NOFAIL) != 0 && api::may_wait(gfp));
    return p;
}

[[gnu::noinline]] void* kmalloc_slow(size_t size, bsl_gfp_t gfp)
{
    if (!api::is_valid(gfp))
        return fail(EINVAL);
    if (size == 0)
        return BSL_ZERO_SIZE_PTR;
    return size > kmalloc_size_max ? fail(ENOMEM) : alloc_any(size, gfp);
}

[[gnu::always_inline]] inline void* kmalloc(size_t size, bsl_gfp_t gfp)
{
    if (api::is_plain(gfp) && size - 1 < small_size_max) [[likely]]
        return heap::malloc(size);
    return kmalloc_slow(size, gfp);
}

} // namespace

void bsl_kfree(const void* p) noexcept
{
    if (is_nothing(p))
        return;
    const vm_area* window = heap::window_at(p);
    if (window != nullptr && window->has_guard)
        [[unlikely]] // realloc, too, moves objects into windows
        heap::report_window("kfree", p);
    heap::free(writable(p));
}

void bsl_kfree_sensitive(const void* p) noexcept
{
    if (is_nothing(p))
        return;
    std::memset(writable(p), 0, bsl_ksize(p));
    asm volatile("" : : "r"(p) : "memory"); // nobody reads it: keep the compiler from seeing that
    bsl_kfree(p);
}

void bsl_kvfree(const void* p) noexcept
{
    if (!is_nothing(p))
        heap::free(writable(p));
}

void* bsl_kmalloc(size_t size, bsl_gfp_t gfp) noexcept
{
    return kmalloc(size, gfp);
}

void* bsl_kzalloc(size_t size, bsl_gfp_t gfp) noexcept
{
    return kmalloc_slow(size, gfp | BSL_GFP_ZERO);
}

void* bsl_kmalloc_array(size_t nr, size_t size, bsl_gfp_t gfp) noexcept
{
    size_t total = 0;
    return __builtin_mul_overflow(nr, size, &total) ? fail(ENOMEM) : kmalloc(total, gfp);
}

void* bsl_kcalloc(size_t nr, size_t size, bsl_gfp_t gfp) noexcept
{
    return bsl_kmalloc_array(nr, size, gfp | BSL_GFP_ZERO);
}

void* bsl_krealloc(const void* p, size_t size, bsl_gfp_t gfp) noexcept
{
    if (is_nothing(p))
        return kmalloc(size, gfp);
    if (size == 0) {
        bsl_kfree(p);
        return BSL_ZERO_SIZE_PTR;
    }
    const size_t old_size = bsl_ksize(p);
    if (size <= old_size && api::is_valid(gfp))
        return writable(p);
    void* fresh = kmalloc(size, gfp);
    if (fresh == nullptr)
        return nullptr;
    std::memcpy(fresh, p, old_size);
    bsl_kfree(p);
    return fresh;
}

size_t bsl_ksize(const void* p) noexcept
{
    return is_nothing(p) ? 0 : heap::usable_size(p, "ksize");
}

void* bsl_kvmalloc(size_t size, bsl_gfp_t gfp) noexcept
{
    return size <= kmalloc_size_max ? kmalloc(size, gfp) : alloc_any(size, gfp);
}

void* bsl_kvzalloc(size_t size, bsl_gfp_t gfp) noexcept
{
    return bsl_kvmalloc(size, gfp | BSL_GFP_ZERO);
}

void* bsl_kmemdup(const void* from, size_t size, bsl_gfp_t gfp) noexcept
{
    void* p = kmalloc(size, gfp);
    return p != nullptr && size != 0 ? std::memcpy(p, from, size) : p;
}

char* bsl_kstrndup(const char* text, size_t max, bsl_gfp_t gfp) noexcept
{
    if (text == nullptr)
        return nullptr;
    const size_t length = strnlen(text, max);
    auto* copy = static_cast<char*>(kmalloc(length + 1, gfp));
    if (copy == nullptr)
        return nullptr;
    std::memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char* bsl_kstrdup(const char* text, bsl_gfp_t gfp) noexcept
{
    return bsl_kstrndup(text, SIZE_MAX - 1, gfp);
}

// --- vmalloc -----------------------------------------------------------------------------------

void bsl_vfree(const void* p) noexcept
{
    if (p == nullptr)
        return;
    if (heap::window_at(p) == nullptr) [[unlikely]]
        heap::report_no_window("vfree", p);
    heap::free_for(writable(p), "vfree");
}

void* bsl_vmalloc(size_t size) noexcept
{
    return size == 0 ? fail(EINVAL) : heap::guarded_window(size, false);
}

void* bsl_vzalloc(size_t size) noexcept
{
    return size == 0 ? fail(EINVAL) : heap::guarded_window(size, true);
}

void* bsl_vrealloc(const void* p, size_t size) noexcept
{
    if (p == nullptr)
        return bsl_vmalloc(size);
    if (size == 0)
        return fail(EINVAL);
    if (heap::window_at(p) == nullptr)
        heap::report_no_window("vrealloc", p);
    return heap::resize_guarded_window(writable(p), size);
}

int bsl_is_vmalloc_addr(const void* p) noexcept
{
    return heap::window_at(p) != nullptr ? 1 : 0;
}
