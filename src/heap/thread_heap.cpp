#include "heap/thread_heap.hpp"

#include "base/check.hpp"
#include "slab/debug.hpp"
#include "slab/program_cache.hpp"

#include <algorithm>
#include <cstdint>

namespace bsl
{

constinit thread_bins no_bins;

namespace
{

constinit std::atomic<std::size_t> crowd{1};

/// A thread among many gets a sheaf of a class only once it has shown that it uses the class: so many
/// times it goes to the slabs for each object.  Threads that do little keep nothing then, and what all
/// threads keep together is bounded by those that do much.
std::size_t visits_before_sheaf()
{
    const std::size_t n = crowd.load(std::memory_order_relaxed);
    if (n == 1) [[likely]]
        return 0;
    const std::size_t visits = n < large_crowd ? n / 4 : 4 * n;
    return visits < UINT16_MAX ? visits : UINT16_MAX;
}

std::size_t sheaf_bytes(const kmem_cache& cache)
{
    return cache.sheaf_capacity() * cache.size();
}

} // namespace

unsigned capacity_now(const kmem_cache& cache)
{
    const unsigned full = cache.sheaf_capacity();
    if (crowd.load(std::memory_order_relaxed) == 1) [[likely]]
        return full;
    std::size_t bytes = share_of(sheaf_bytes_max);
    bytes = bytes < crowded_sheaf_bytes ? crowded_sheaf_bytes : bytes;
    std::size_t n = bytes / cache.size();
    n = n < crowded_sheaf_objects ? crowded_sheaf_objects : n;
    return n < full ? static_cast<unsigned>(n) : full;
}

unsigned barn_room(const kmem_cache& cache)
{
    const std::size_t fit = barn_bytes_max / sheaf_bytes(cache);
    return fit < barn_full_max ? static_cast<unsigned>(fit) : barn_full_max;
}

std::size_t share_of(std::size_t bytes)
{
    const std::size_t n = crowd.load(std::memory_order_relaxed);
    return n <= 1 ? bytes : bytes / n; // of "n == 1" the compiler makes a division in each case
}

void set_crowd(std::size_t n)
{
    crowd.store(n, std::memory_order_relaxed);
    const auto pages = [](std::size_t bytes) { return share_of(bytes) >> page_shift; };
    bounds_of_large.sum.store(pages(thread_large_bytes_max), std::memory_order_relaxed);
    bounds_of_large.single.store(pages(thread_largest_max), std::memory_order_relaxed);
}

// --- empty sheaves -----------------------------------------------------------------------------

sheaf* thread_heap::take_spare()
{
    if (sheaf* s = spare_.pop())
        return s;
    return static_cast<sheaf*>(cache_for(own_cache::sheaf).alloc_one());
}

void thread_heap::put_spare(sheaf* s)
{
    if (s == nullptr)
        return;
    if (spare_.size() < thread_spares_min ||
        spare_.size() < share_of(thread_spare_bytes_max) / sheaf_size)
        spare_.push(*s);
    else
        cache_for(own_cache::sheaf).free_one(s);
}

/// Gives the objects of a detached sheaf back to their slabs; the sheaf is empty afterwards.
void thread_heap::flush(const kmem_cache& cache, sheaf& s)
{
    void* objects[sheaf_capacity_max];
    const unsigned n = empty(s, objects, cache.sheaf_capacity());
    if (n == 0)
        return;
    pages_.set_bound(share_of(pageset_order_bytes_max));
    cache.flush(&pages_, objects, n);
    flushed_bytes_ += n * cache.size();
}

void thread_heap::flush_one(const kmem_cache& cache, void* object)
{
    cache.flush(&pages_, &object, 1);
    has_moved_ = true;
}

bool thread_heap::has_flushed(std::size_t bytes)
{
    if (flushed_bytes_ < bytes) [[likely]]
        return false;
    flushed_bytes_ = 0;
    return true;
}

// --- alloc -------------------------------------------------------------------------------------

bin* thread_heap::bin_for(const kmem_cache& cache)
{
    if (cache.map_class() != 0) [[likely]]
        return &bins_.of_class[cache.map_class()];
    bin* mine = bins_.of_program(to_program_cache(cache));
    return mine != nullptr ? mine : make_bin(to_program_cache(cache));
}

void* thread_heap::alloc(const kmem_cache& cache, bool& zeros)
{
    page_use use;
    void* object = take(cache, use);
    populate(use);
    zeros = use.zeros;
    return object;
}

void* thread_heap::take(const kmem_cache& cache, page_use& use)
{
    mutex_guard guard(lock);
    bin* mine = bin_for(cache);
    if (mine == nullptr)
        return nullptr;
    void* object = mine->pop();
    if (object == nullptr)
        object = refill(cache, *mine, use);
    if (use.nr_opened != 0 && !large_.is_empty()) // the next pages are to come from there
        drain_large();
    return object;
}

/// Without a sheaf, which would only hold what is about to be handed out.
void* thread_heap::alloc_single(const kmem_cache& cache, single_request wanted, bool& zeros)
{
    mutex_guard guard(lock);
    if (!large_.is_empty() && zone_of_node(node()).counts().nr_dirty_large < wanted.pages)
        drain_large();
    return cache.refill_single(current_shard(), wanted, zeros);
}

namespace
{

/// A full sheaf of any barn, this shard's first; takes `spent` in exchange where it can.
sheaf* take_full(const kmem_cache& cache, unsigned shard, sheaf*& spent)
{
    for (unsigned i = 0; i < nr_shards(); i += nr_nodes()) { // of this node
        kmem_cache_node* node = cache.node((shard + i) % nr_shards());
        if (node == nullptr || !node->sheaves.has_full())
            continue;
        if (sheaf* full = node->sheaves.exchange_for_full(spent))
            return full;
    }
    return nullptr;
}

/// Objects of one slab, in address order, become a circle that begins somewhere else for each slab.  Slabs begin at
/// multiples of a page, all of which share one set of a first-level cache of 32 KiB with 8 ways, and of most classes a
/// program uses few objects at a time: were these the first ones of their slabs, they would evict each other.
void begin_anywhere(void** objects, unsigned n)
{
    constexpr std::uint64_t golden_ratio = 0x9E3779B97F4A7C15; // of 2^64: Fibonacci hashing
    const std::uint64_t hash = address_to_pfn(objects[0]) * golden_ratio >> 40;
    std::rotate(objects, objects + hash % n, objects + n);
}

/// Of a class with more slabs, what is in use lies spread anyway, and what is allocated in a row is often walked in a
/// row: there the order of addresses is the better one.
constexpr std::size_t few_slabs = 4;

} // namespace

/// The bin is empty: finds objects, hangs them in, returns the first.
void* thread_heap::refill(const kmem_cache& cache, bin& mine, page_use& use)
{
    if (nr_nodes() != 1) [[unlikely]]
        follow(node_of_shard(current_shard()));
    sheaf* spent = detach(mine);
    if (sheaf* full = pop_full(cache.size_class())) {
        was_refilled_.set(cache.size_class());
        put_spare(spent);
        attach(mine, *full);
        return mine.pop();
    }
    has_moved_ = true;
    const unsigned shard = current_shard();
    sheaf* full = take_full(cache, shard, spent);
    if (full != nullptr) {
        put_spare(spent);
        attach(mine, *full);
        return mine.pop();
    }
    if (spent == nullptr && deserves_sheaf(cache.size_class()))
        spent = take_spare();
    const unsigned room = capacity_now(cache); // once: it changes when threads come and go
    const unsigned want = spent == nullptr ? 1 : room;
    void* objects[sheaf_capacity_max];
    pages_.set_bound(share_of(pageset_order_bytes_max));
    const unsigned n = cache.refill(&pages_, shard, objects, want, use);
    if (n > 1 && cache.node(shard)->nr_slabs <= few_slabs)
        begin_anywhere(objects, n);
    if (spent != nullptr) {
        reset(*spent, room);
        if (n > 1)
            fill(*spent, objects + 1, n - 1);
        attach(mine, *spent);
    }
    return n == 0 ? nullptr : objects[0];
}

// --- free --------------------------------------------------------------------------------------

/// Called for each object that is served without a sheaf.
bool thread_heap::deserves_sheaf(unsigned size_class)
{
    if (is_checked(size_class))
        return false;
    if (visits_[size_class] >= visits_before_sheaf())
        return true;
    ++visits_[size_class];
    return false;
}

/// Gives a full sheaf of another class back, one class after the other until it has none.  False when no
/// other class has one.
bool thread_heap::evict_for(unsigned size_class)
{
    for (unsigned turn = 0; turn < 2; ++turn) {
        std::size_t victim = has_full_.find(next_victim_, nr_slab_classes, true);
        if (victim == size_class)
            victim = has_full_.find(victim + 1, nr_slab_classes, true);
        next_victim_ = static_cast<std::uint8_t>(victim % nr_slab_classes);
        if (victim == nr_slab_classes)
            continue;
        sheaf* room = nullptr;
        give_away(kmalloc_cache(next_victim_), *pop_full(next_victim_), room);
        put_spare(room);
        return true;
    }
    return false;
}

/// May another full sheaf of this class stay with the thread?
bool thread_heap::keeps_another(const kmem_cache& cache, unsigned size_class)
{
    const std::size_t bytes = sheaf_bytes(cache);
    const std::size_t kept = full_[size_class].size();
    if (size_class == 0 || kept >= thread_class_sheaves_max ||
        (kept + 1) * bytes > share_of(thread_class_bytes_max))
        return false;
    while (full_bytes_ + bytes > share_of(thread_bytes_max)) {
        if (!evict_for(size_class))
            return false;
    }
    return true;
}

void thread_heap::push_full(unsigned size_class, sheaf& s)
{
    full_[size_class].push(s);
    has_full_.set(size_class);
    full_bytes_ += sheaf_bytes(kmalloc_cache(size_class));
}

sheaf* thread_heap::pop_full(unsigned size_class)
{
    sheaf* s = full_[size_class].pop();
    if (s == nullptr)
        return nullptr;
    full_bytes_ -= sheaf_bytes(kmalloc_cache(size_class));
    if (full_[size_class].size() == 0)
        has_full_.clear(size_class);
    return s;
}

void thread_heap::free(const kmem_cache& cache, void* object)
{
    mutex_guard guard(lock);
    const bool bypasses = cache.is_single() || is_checked(cache.size_class());
    bin* mine = bypasses ? nullptr : bin_for(cache);
    if (mine == nullptr)
        flush_one(cache, object);
    else if (!mine->push(object))
        free_slow(cache, *mine, object);
}

/// A full sheaf leaves the bin; `room` becomes an empty one if there is one.
void thread_heap::put_away(const kmem_cache& cache, sheaf& full, sheaf*& room)
{
    if (keeps_another(cache, cache.size_class()))
        return push_full(cache.size_class(), full);
    give_away(cache, full, room);
}

/// A full sheaf goes to where other threads find it, or its objects to their slabs.
void thread_heap::give_away(const kmem_cache& cache, sheaf& full, sheaf*& room)
{
    has_moved_ = true;
    kmem_cache_node* node = cache.node(current_shard());
    if (node != nullptr && node->sheaves.put_full(full, barn_room(cache), room))
        return;
    flush(cache, full);
    room = &full;
}

/// The bin is full, or has no sheaf: makes room, pushes.
void thread_heap::free_slow(const kmem_cache& cache, bin& mine, void* object)
{
    sheaf* room = nullptr;
    if (sheaf* full = detach(mine)) {
        if (nr_nodes() != 1 && send_home(cache, *full)) [[unlikely]] {
            has_moved_ = true;
            attach(mine, *full);
            mine.push(object);
            return;
        }
        put_away(cache, *full, room);
    }
    if (room == nullptr && deserves_sheaf(cache.size_class()))
        room = take_spare();
    if (room == nullptr) // no sheaf: give this one object back
        return flush_one(cache, object);
    reset(*room, capacity_now(cache));
    attach(mine, *room);
    mine.push(object);
}

// --- large objects -----------------------------------------------------------------------------

void thread_heap::settle_large()
{
    if (!large_.is_closed()) [[likely]]
        return;
    mutex_guard guard(lock);
    large_.open();
}

bool thread_heap::keep_large_instead(page& head)
{
    settle_large();
    const std::size_t pages = single_pages(head);
    if (!large_.has_room(pages)) {
        if (!large_.may_be_alone(pages))
            return false;
        mutex_guard guard(lock);
        drain_large(); // what was freed last is what is asked for next
    }
    return large_.keep(head);
}

void thread_heap::flush_large(page& head)
{
    void* object = head.start;
    all_caches[head.cache].flush(&pages_, &object, 1);
}

/// Its pages serve something else before others are touched.
void thread_heap::drain_large()
{
    large_.take_all([this](page& head) { flush_large(head); });
}

// --- counts ------------------------------------------------------------------------------------

std::size_t thread_heap::nr_cached(unsigned size_class)
{
    if (size_class >= nr_slab_classes)
        return large_.pages_of(size_class) != 0;
    mutex_guard guard(lock);
    std::size_t n = 0;
    for (const sheaf* s = full_[size_class].first(); s != nullptr; s = s->next)
        n += count(*s);
    const object_slot* at = bins_.of_class[size_class].top.load(std::memory_order_acquire);
    while ((--at)->load(std::memory_order_relaxed) != nullptr)
        ++n;
    return n;
}

} // namespace bsl
