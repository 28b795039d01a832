#include <buddyslab/kmem_cache.h>

#include "api/gfp.hpp"
#include "api/start.hpp"
#include "base/check.hpp"
#include "base/format.hpp"
#include "heap/heap.hpp"
#include "heap/object_caches.hpp"

/// Objects taken out of a cache in advance; the pointers to them follow it.
struct bsl_sheaf
{
    std::size_t count;
    std::size_t room;

    void** objects() { return reinterpret_cast<void**>(this + 1); }
};

namespace
{

using namespace bsl;
using api::fail;

constexpr unsigned known_flags = BSL_SLAB_HWCACHE_ALIGN | BSL_SLAB_PANIC | BSL_SLAB_ACCOUNT |
                                 BSL_SLAB_NO_MERGE | BSL_SLAB_TYPESAFE_BY_RCU;
constexpr std::size_t sheaf_objects_max = 4096;

program_cache& cache_of(const bsl_kmem_cache* cache)
{
    return *reinterpret_cast<program_cache*>(const_cast<bsl_kmem_cache*>(cache));
}

/// As the kernel: objects of half a line or less share a line.
std::size_t line_alignment(std::size_t size)
{
    std::size_t align = cache_line_size;
    while (size <= align / 2)
        align /= 2;
    return align;
}

bsl_kmem_cache* refuse(const char* name, unsigned flags, int error)
{
    if ((flags & BSL_SLAB_PANIC) != 0) {
        format<160> line;
        line.text("kmem_cache_create(").text(name == nullptr ? "" : name);
        panic(line.text("): the cache cannot be made, and has SLAB_PANIC").c_str());
    }
    errno = error;
    return nullptr;
}

/// Is this thing possible at all?
bool is_possible(const char* name, size_t size, const bsl_kmem_cache_args& args, unsigned flags)
{
    const bool aligned =
        args.align == 0 || (is_power_of_2(args.align) && args.align <= bytes_per_page);
    return name != nullptr && size != 0 && size <= kmalloc_size_max && aligned &&
           (flags & ~known_flags) == 0 && (flags & BSL_SLAB_TYPESAFE_BY_RCU) == 0 &&
           (args.ctor == nullptr || args.ctor_with == nullptr) &&
           (args.limit == 0 || (flags & BSL_SLAB_ACCOUNT) != 0);
}

[[gnu::noinline]] void* alloc_slow(const program_cache& cache, bsl_gfp_t gfp)
{
    if (!api::is_valid(gfp))
        return fail(EINVAL);
    const bool zeroed = (gfp & BSL_GFP_ZERO) != 0;
    if (zeroed && cache.has_constructor())
        return fail(EINVAL);
    bool zeros = false;
    void* object = nullptr;
    if (!api::may_wait(gfp)) {
        object = heap::cache_alloc_atomic(cache);
        if (object == nullptr)
            return nullptr;
    } else if (heap::cache_alloc_some(cache, 1, &object) == 0) {
        do
            object = heap::cache_alloc_slow(cache, zeros);
        while (object == nullptr && (gfp & BSL_GFP_NOFAIL) != 0);
    }
    if (object != nullptr && zeroed && !zeros)
        std::memset(object, 0, cache.size());
    return object;
}

[[gnu::always_inline]] inline void* alloc(const program_cache& cache, bsl_gfp_t gfp)
{
    // The usual flags alone: one comparison.
    if (gfp != BSL_GFP_KERNEL) [[unlikely]]
        return alloc_slow(cache, gfp);
    return heap::cache_alloc(cache);
}

/// All `nr`, or none.
bool alloc_all(const program_cache& cache, bsl_gfp_t gfp, size_t nr, void** objects)
{
    const bool plain = api::is_plain(gfp);
    for (size_t i = 0; i < nr;) {
        const size_t some = plain ? heap::cache_alloc_some(cache, nr - i, objects + i) : 0;
        i += some;
        if (some != 0)
            continue;
        objects[i] = alloc_slow(cache, gfp);
        if (objects[i] == nullptr) {
            const int error = errno;
            heap::cache_free_bulk(cache, i, objects);
            errno = error;
            return false;
        }
        ++i;
    }
    return true;
}

} // namespace

bsl_kmem_cache* bsl_kmem_cache_create_args(const char* name, size_t size,
                                           const bsl_kmem_cache_args* args, unsigned flags) noexcept
{
    bsl_kmem_cache_args given{};
    if (args != nullptr) {
        if (args->size < sizeof given)
            return refuse(name, flags, EINVAL);
        given = *args;
    }
    if (!is_possible(name, size, given, flags))
        return refuse(name, flags, EINVAL);
    program_cache_options options;
    options.name = name;
    options.size = size;
    options.align = given.align;
    if ((flags & BSL_SLAB_HWCACHE_ALIGN) != 0 && line_alignment(size) > options.align)
        options.align = line_alignment(size);
    options.constructor = {given.ctor, given.ctor_with};
    options.user_data = given.user_data;
    if (given.limit != 0)
        options.limit = given.limit;
    options.may_merge = given.ctor == nullptr && given.ctor_with == nullptr &&
                        given.user_data == nullptr &&
                        (flags & (BSL_SLAB_NO_MERGE | BSL_SLAB_ACCOUNT)) == 0;
    const claimed_cache made = claim_cache(options);
    if (made.cache == nullptr)
        return refuse(name, flags, made.has_slot ? ENOMEM : ENOSPC);
    return reinterpret_cast<bsl_kmem_cache*>(made.cache);
}

bsl_kmem_cache* bsl_kmem_cache_create(const char* name, size_t size, size_t align, unsigned flags,
                                      void (*ctor)(void*)) noexcept
{
    const bsl_kmem_cache_args args{sizeof args, align, ctor, 0, nullptr, nullptr};
    return bsl_kmem_cache_create_args(name, size, &args, flags);
}

int bsl_kmem_cache_destroy(bsl_kmem_cache* cache) noexcept
{
    return cache == nullptr || heap::close_cache(cache_of(cache)) ? 0 : -EBUSY;
}

void* bsl_kmem_cache_alloc(bsl_kmem_cache* cache, bsl_gfp_t gfp) noexcept
{
    return alloc(cache_of(cache), gfp);
}

void* bsl_kmem_cache_zalloc(bsl_kmem_cache* cache, bsl_gfp_t gfp) noexcept
{
    return alloc_slow(cache_of(cache), gfp | BSL_GFP_ZERO);
}

void bsl_kmem_cache_free(bsl_kmem_cache* cache, void* object) noexcept
{
    heap::cache_free(cache_of(cache), object);
}

size_t bsl_kmem_cache_alloc_bulk(bsl_kmem_cache* cache, bsl_gfp_t gfp, size_t nr,
                                 void** objects) noexcept
{
    return alloc_all(cache_of(cache), gfp, nr, objects) ? nr : 0;
}

void bsl_kmem_cache_free_bulk(bsl_kmem_cache* cache, size_t nr, void** objects) noexcept
{
    heap::cache_free_bulk(cache_of(cache), nr, objects);
}

// --- prefilled sheaves -------------------------------------------------------------------------

bsl_sheaf* bsl_kmem_cache_prefill_sheaf(bsl_kmem_cache* cache, bsl_gfp_t gfp, size_t nr) noexcept
{
    if (nr == 0 || nr > sheaf_objects_max)
        return static_cast<bsl_sheaf*>(fail(EINVAL));
    auto* made = static_cast<bsl_sheaf*>(heap::malloc(sizeof(bsl_sheaf) + nr * sizeof(void*)));
    if (made == nullptr)
        return nullptr;
    made->count = 0;
    made->room = nr;
    if (bsl_kmem_cache_refill_sheaf(cache, gfp, made, nr) == 0)
        return made;
    heap::free(made);
    return nullptr;
}

int bsl_kmem_cache_refill_sheaf(bsl_kmem_cache* cache, bsl_gfp_t gfp, bsl_sheaf* sheaf,
                                size_t nr) noexcept
{
    if (nr > sheaf->room)
        return -EINVAL;
    if (nr <= sheaf->count)
        return 0;
    const int before = errno;
    errno = ENOMEM; // what finds nothing at hand leaves it alone
    if (!alloc_all(cache_of(cache), gfp, nr - sheaf->count, sheaf->objects() + sheaf->count))
        return -errno;
    errno = before;
    sheaf->count = nr;
    return 0;
}

void* bsl_kmem_cache_alloc_from_sheaf(bsl_kmem_cache* cache, bsl_gfp_t gfp,
                                      bsl_sheaf* sheaf) noexcept
{
    if (sheaf->count == 0)
        return nullptr;
    void* object = sheaf->objects()[--sheaf->count];
    if ((gfp & BSL_GFP_ZERO) != 0 && !cache_of(cache).has_constructor())
        std::memset(object, 0, cache_of(cache).size());
    return object;
}

size_t bsl_kmem_cache_sheaf_size(const bsl_sheaf* sheaf) noexcept
{
    return sheaf->count;
}

void bsl_kmem_cache_return_sheaf(bsl_kmem_cache* cache, bsl_gfp_t, bsl_sheaf* sheaf) noexcept
{
    bsl_kmem_cache_free_bulk(cache, sheaf->count, sheaf->objects());
    heap::free(sheaf);
}

// --- about a cache -----------------------------------------------------------------------------

int bsl_kmem_cache_shrink(bsl_kmem_cache* cache) noexcept
{
    heap::shrink_cache(cache_of(cache));
    return 0;
}

size_t bsl_kmem_cache_size(const bsl_kmem_cache* cache) noexcept
{
    return cache_of(cache).object_size();
}

const char* bsl_kmem_cache_name(const bsl_kmem_cache* cache) noexcept
{
    return cache_of(cache).name().data();
}

void* bsl_kmem_cache_user_data(const bsl_kmem_cache* cache) noexcept
{
    return cache_of(cache).user_data();
}

size_t bsl_kmem_cache_in_use(const bsl_kmem_cache* cache) noexcept
{
    return heap::nr_objects_out(cache_of(cache));
}
