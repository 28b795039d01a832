#include "model/books.hpp"

#include "buddy/zone.hpp"
#include "heap/registry.hpp"
#include "slab/kmem_cache.hpp"
#include "vmalloc/vmalloc.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace test
{

namespace
{

using namespace bsl;

/// The shards of a cache, added up.
struct cache_sum
{
    std::size_t slabs = 0;
    std::size_t objects = 0;
    std::size_t free = 0;
    std::size_t pages = 0;
    std::size_t in_barns = 0;

    explicit cache_sum(const kmem_cache& cache)
    {
        for (unsigned shard = 0; shard < nr_shards(); ++shard) {
            kmem_cache_node* node = cache.node(shard);
            if (node == nullptr)
                continue;
            in_barns += node->sheaves.nr_objects();
            mutex_guard guard(node->lock);
            slabs += node->nr_slabs;
            objects += node->nr_objects;
            free += node->nr_free;
            pages += node->nr_pages_held;
        }
    }
};

struct thread_sum
{
    std::size_t heaps = 0;
    std::size_t orphans = 0;
    std::size_t pages = 0;
};

thread_sum sum_of_threads()
{
    thread_sum sum;
    mutex_guard guard(registry_lock);
    list_for_each<thread_heap, &thread_heap::link>(orphan_heaps,
                                                   [&sum](thread_heap&) { ++sum.orphans; });
    for_each_thread_heap([&sum](thread_heap& heap) {
        ++sum.heaps;
        mutex_guard heap_guard(heap.lock);
        sum.pages += heap.nr_pages_held();
    });
    return sum;
}

void expect(std::size_t found, std::size_t wanted, const char* what, std::string_view of = "")
{
    if (found != wanted)
        fail("%.*s%s: %zu, expected %zu", static_cast<int>(of.size()), of.data(), what, found,
             wanted);
}

} // namespace

void fail(const char* format, ...)
{
    std::fputs("model: ", stderr);
    va_list arguments;
    va_start(arguments, format);
    std::vfprintf(stderr, format, arguments);
    va_end(arguments);
    std::fputc('\n', stderr);
    std::abort();
}

void validate_while_busy()
{
    static_assert(check_level >= 2, "below, validate() says nothing");
    for (const kmem_cache& cache : all_caches)
        cache.validate();
    for_each_malloc_zone([](zone& z) {
        mutex_guard guard(z.lock);
        z.validate();
    });
}

void validate_everything()
{
    validate_while_busy();
    validate_windows();
}

void check_pages_are_accounted_for()
{
    std::size_t pages = sum_of_threads().pages;
    for (const kmem_cache& cache : all_caches)
        pages += cache_sum(cache).pages;
    for_each_window(
        [](void* sum, const vm_area& area) {
            *static_cast<std::size_t*>(sum) += area.lent_end >> page_shift;
        },
        &pages);
    std::size_t handed_out = 0;
    for_each_malloc_zone([&handed_out](zone& z) {
        mutex_guard guard(z.lock);
        handed_out += z.counts().nr_online * pages_per_pageblock - z.counts().nr_free;
    });
    expect(handed_out, pages, "pages in use");
}

void check_books_balance()
{
    validate_everything();
    const thread_sum threads = sum_of_threads();
    expect(threads.orphans, 0, "orphans left");
    for (const kmem_cache& cache : all_caches) {
        const cache_sum sum(cache);
        expect(sum.in_barns, 0, ": objects in barns", cache.name());
        if (cache.size_class() == 0)
            continue;
        expect(sum.objects - sum.free, 0, ": objects in use", cache.name());
        expect(sum.slabs, 0, ": slabs left", cache.name());
    }
    const cache_sum sheaves(cache_for(own_cache::sheaf));
    expect(sheaves.objects - sheaves.free, 0, "sheaves in use");
    const cache_sum heaps(cache_for(own_cache::thread_heap));
    expect(heaps.objects - heaps.free, threads.heaps, "thread heaps in use");

    const vmalloc_counts windows = counts_of_vmalloc();
    expect(windows.live, 0, "live windows");
    expect(windows.cached, 0, "cached windows");
    check_pages_are_accounted_for();
}

} // namespace test
