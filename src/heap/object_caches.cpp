#include "heap/object_caches.hpp"

#include "base/check.hpp"
#include "base/format.hpp"
#include "heap/allocation.hpp"
#include "heap/room.hpp"
#include "heap/shrinkers.hpp"
#include "host/console.hpp"
#include "slab/misuse.hpp"

#include <cerrno>

namespace bsl::heap
{

namespace
{

void* try_alloc(const program_cache& cache, bool& zeros)
{
    const single_request whole{cache.single_pages_max(), run_fit::tight};
    if (thread_heap* mine = this_thread_heap())
        return cache.is_single() ? mine->alloc_single(cache, whole, zeros)
                                 : mine->alloc(cache, zeros);
    mutex_guard guard(direct_lock);
    zeros = false;
    return cache.alloc_one();
}

/// Makes it worth trying again: a slab, or room within the cache's limit.
room make_room_for(const program_cache& cache, bool& was_at_limit, unsigned vain)
{
    if (cache.has_constructor() && !cache.is_single() && cache.add_slab())
        return room::grown;
    if (!cache.is_at_limit())
        return make_room(vain);
    if (was_at_limit)
        return run_shrinkers() != 0 ? room::freed : room::none;
    was_at_limit = true;
    drain_all_threads(); // others may have free objects of this cache
    return room::freed;
}

/// Calls fn(thread_heap&) for the heaps of all threads.
template <typename Fn>
void for_each_heap(Fn fn)
{
    mutex_guard guard(registry_lock);
    for_each_thread_heap(fn);
}

} // namespace

void* cache_alloc_slow(const program_cache& cache, bool& zeros) noexcept
{
    bool was_at_limit = false;
    void* object =
        with_room([&] { return try_alloc(cache, zeros); },
                  [&](unsigned vain) { return make_room_for(cache, was_at_limit, vain); });
    keep_balance_after_alloc(this_thread.heap);
    if (object == nullptr)
        errno = ENOMEM;
    else if (cache.is_single() && cache.has_constructor())
        cache.construct(object); // its slab's life is its own
    return object;
}

namespace
{

[[noreturn, gnu::cold]] void report_not_of_cache(const program_cache& cache, const void* object)
{
    const page* of = virt_to_page(object);
    if (of != nullptr && of->state == page_state::slab)
        report_wrong_cache("kmem_cache_free", object, cache, locate(object, *of));
    resolve(object, "kmem_cache_free"); // says what it is, unless it is something of malloc's
    format<256> line;
    begin_bug(line, "kmem_cache_free", object).text("not an object of cache ");
    report_bug(line.text(cache.name()));
}

} // namespace

void cache_free_slow(const program_cache& cache, void* object) noexcept
{
    if (object == nullptr)
        return;
    const page* of = virt_to_page(object);
    if (of == nullptr || of->state != page_state::slab || of->cache != cache.number())
        report_not_of_cache(cache, object);
    const object_position at = locate(object, *of);
    if (!at.is_object || at.offset != 0)
        report_not_start("kmem_cache_free", object, at);
    if (is_free(at))
        report_double_free("kmem_cache_free", at);
    if (thread_heap* mine = this_thread_heap()) {
        const bin* last = mine->bins().of_program(cache);
        if (last != nullptr && last->is_topmost(object))
            report_double_free("kmem_cache_free", at);
        mine->free(cache, object);
    } else {
        mutex_guard guard(direct_lock);
        cache.free_one(object);
    }
    keep_balance_after_free(this_thread.heap);
}

// --- many at a time -------------------------------------------------------------------------------

std::size_t cache_alloc_some(const program_cache& cache, std::size_t nr, void** objects) noexcept
{
    const unsigned most = nr < sheaf_capacity_max ? static_cast<unsigned>(nr) : sheaf_capacity_max;
    return this_thread.bins->of_class[cache.map_class()].pop_some(objects, most);
}

void cache_free_bulk(const program_cache& cache, std::size_t nr, void* const* objects) noexcept
{
    const unsigned map_class = cache.map_class();
    const auto is_of_class = [map_class](void* object) {
        return page_classes.lookup(object) == map_class;
    };
    for (std::size_t i = 0; i < nr; ++i) {
        const std::size_t rest = nr - i;
        const unsigned most =
            rest < sheaf_capacity_max ? static_cast<unsigned>(rest) : sheaf_capacity_max;
        // For each round: the slow path may give this thread its first bins.
        i += this_thread.bins->of_class[map_class].push_some(objects + i, most, is_of_class);
        if (i < nr)
            cache_free_slow(cache, objects[i]);
    }
}

// --- whole caches ------------------------------------------------------------------------------

std::size_t nr_objects_out(const program_cache& cache)
{
    std::size_t cached = 0;
    for_each_heap([&](thread_heap& heap) { cached += heap.nr_cached_of(cache); });
    const std::size_t out = cache.nr_out();
    return out > cached ? out - cached : 0;
}

void shrink_cache(const program_cache& cache)
{
    if (thread_heap* mine = this_thread_heap())
        mine->drain_cache(cache);
    mutex_guard guard(caches_lock); // as all who empty its barns, see thread_drain.cpp
    cache.drain();
}

namespace
{

constexpr unsigned reported_objects_max = 16;

/// Objects that are out where none should be.
struct leaks
{
    void* first[reported_objects_max];
    unsigned nr = 0;
};

void note_leak(void* argument, void* object)
{
    auto& found = *static_cast<leaks*>(argument);
    if (found.nr < reported_objects_max)
        found.first[found.nr] = object;
    ++found.nr;
}

void report_leaks(const program_cache& cache, const leaks& found)
{
    for (unsigned i = 0; i < found.nr && i < reported_objects_max; ++i) {
        format<160> line;
        line.text("kmem_cache_destroy(").text(cache.name()).text("): object ");
        host::print_line(line.pointer(found.first[i]).text(" is still in use").view());
    }
    format<160> line;
    line.text("kmem_cache_destroy(").text(cache.name()).text("): ");
    line.decimal(found.nr).text(found.nr == 1 ? " object is" : " objects are");
    host::print_line(line.text(" still in use, the cache stays").view());
}

/// One step as others see it.  Bins are emptied that their owners pop and push without a lock: nobody uses the cache
/// any more, which is the caller's promise, and nobody may begin to, which a request that the cache suits would do if
/// it came between the look at the users and the last one's end.
bool try_close(program_cache& cache, leaks& found)
{
    mutex_guard heaps_stay(registry_lock);
    mutex_guard guard(caches_lock);
    VM_BUG_ON(cache.users == 0);
    if (cache.users == 1) {
        for_each_thread_heap([&](thread_heap& heap) { heap.drain_cache(cache); });
        cache.drain();
        if (cache.nr_out() != 0) {
            cache.for_each_out(note_leak, &found);
            return false;
        }
    }
    --cache.users;
    return true;
}

} // namespace

bool close_cache(program_cache& cache)
{
    leaks found;
    if (try_close(cache, found))
        return true;
    report_leaks(cache, found); // no lock is held: who reads what is printed may be waiting for it
    return false;
}

} // namespace bsl::heap
