#include <buddyslab/heap.h>

#include "base/bitops.hpp"
#include "heap/private_heap.hpp"

#include <cerrno>
#include <cstring>

namespace
{

using namespace bsl;
using heap::private_heap;

/// The struct of version 0.1 ends with this member.
constexpr size_t first_version_size =
    offsetof(bsl_heap_stats, nr_slabs) + sizeof(bsl_heap_stats::nr_slabs);

[[gnu::always_inline]] inline private_heap& heap_of(bsl_heap* handle, const char* call)
{
    return heap::heap_of_handle(reinterpret_cast<std::uintptr_t>(handle), call);
}

} // namespace

bsl_heap* bsl_heap_create(const char* name, unsigned flags, size_t limit) noexcept
{
    if ((flags & ~BSL_HEAP_ONE_THREAD) != 0) {
        errno = EINVAL;
        return nullptr;
    }
    heap::heap_options options{};
    options.name = name != nullptr ? name : "private";
    options.limit = limit != 0 ? limit : SIZE_MAX;
    options.one_thread = (flags & BSL_HEAP_ONE_THREAD) != 0;
    const private_heap* made = heap::make_heap(options);
    if (made == nullptr)
        return nullptr;
    return reinterpret_cast<bsl_heap*>(made->handle.load(std::memory_order_relaxed));
}

void bsl_heap_reset(bsl_heap* heap) noexcept
{
    heap::reset_heap(heap_of(heap, "heap_reset"));
}

void bsl_heap_destroy(bsl_heap* heap) noexcept
{
    if (heap != nullptr)
        heap::destroy_heap(heap_of(heap, "heap_destroy"));
}

void* bsl_heap_alloc(bsl_heap* heap, size_t size) noexcept
{
    return heap::heap_alloc(heap_of(heap, "heap_alloc"), size);
}

void* bsl_heap_zalloc(bsl_heap* heap, size_t size) noexcept
{
    return heap::heap_zalloc(heap_of(heap, "heap_zalloc"), size);
}

void* bsl_heap_aligned_alloc(bsl_heap* heap, size_t alignment, size_t size) noexcept
{
    private_heap& from = heap_of(heap, "heap_aligned_alloc");
    if (is_power_of_2(alignment))
        return heap::heap_aligned_alloc(from, alignment, size);
    errno = EINVAL;
    return nullptr;
}

void* bsl_heap_realloc(bsl_heap* heap, void* p, size_t size) noexcept
{
    return heap::heap_realloc(heap_of(heap, "heap_realloc"), p, size, "heap_realloc");
}

void bsl_heap_free(bsl_heap* heap, void* p) noexcept
{
    heap::heap_free(heap_of(heap, "heap_free"), p, "heap_free");
}

size_t bsl_heap_usable_size(bsl_heap* heap, const void* p) noexcept
{
    return heap::heap_usable_size(heap_of(heap, "heap_usable_size"), p, "heap_usable_size");
}

const char* bsl_heap_name(bsl_heap* heap) noexcept
{
    return heap_of(heap, "heap_name").name;
}

int bsl_heap_get_stats(bsl_heap* heap, struct bsl_heap_stats* stats) noexcept
{
    private_heap& of = heap_of(heap, "heap_get_stats");
    const size_t size = stats->size;
    if (size < first_version_size)
        return -EINVAL;
    const heap::heap_figures now = heap::figures_of(of);
    bsl_heap_stats known{};
    known.size = size;
    known.nr_objects = now.nr_objects;
    known.in_use = now.in_use;
    known.held = now.held;
    known.held_peak = now.held_peak;
    known.limit = of.limit == SIZE_MAX ? 0 : of.limit;
    known.nr_slabs = now.nr_slabs;
    std::memset(stats, 0, size);
    std::memcpy(stats, &known, size < sizeof known ? size : sizeof known);
    return 0;
}
