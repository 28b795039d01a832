/// The library's own calls against what a program would use instead, all on the library's heap:
///
///     pair       an object of a cache, a page frame; a block of malloc
///     objects    constructed objects that stay constructed; malloc, construct, free
///     bulk       32 objects at once; one by one
///     request    a heap that is made, filled and destroyed; malloc and free of the same blocks
///     pmr        containers on each memory resource, the standard's among them
///
/// bench/kernel_api runs it.  only=N runs one group (1 … 5, in the order above), kind=N one case of it.
#include <buddyslab/buddyslab.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory_resource>
#include <string>
#include <utility>
#include <vector>

#include "common/bench.hpp"

namespace
{

/// A group of cases.  They take turns, so that all meet the same moments of the machine.
class round_of
{
public:
    round_of(const bench::options& options, bench::report& report)
        : report_(report), group_(options.number("only", 0)), kind_(options.number("kind", 0)),
          repeat_(
              std::clamp(options.number("repeat", 31), 1L, long{bench::report::max_repetitions})),
          count_(options.number("count", 0))
    {}

    void begin(long group)
    {
        current_ = group;
        seen_ = 0;
        cases_.clear();
    }

    /// body(n) does n operations.
    void time(const char* name, long count, std::function<void(long)> body)
    {
        ++seen_;
        if ((group_ != 0 && group_ != current_) || (kind_ != 0 && kind_ != seen_))
            return;
        cases_.push_back({name, count_ != 0 ? count_ : count, std::move(body), {}});
    }

    void run()
    {
        for (one& c : cases_)
            c.body(c.count / 10 + 1); // warm
        for (long i = 0; i < repeat_; ++i) {
            for (one& c : cases_) {
                const std::int64_t start = bench::now_ns();
                c.body(c.count);
                c.samples.push_back(bench::now_ns() - start);
            }
        }
        for (one& c : cases_)
            report_.add_time(c.name, c.count, c.samples.data(), repeat_);
    }

private:
    struct one
    {
        const char* name;
        long count;
        std::function<void(long)> body;
        std::vector<std::int64_t> samples;
    };

    bench::report& report_;
    long group_, kind_, repeat_, count_;
    long current_ = 0;
    long seen_ = 0;
    std::vector<one> cases_;
};

[[noreturn]] void fail(const char* what)
{
    std::fprintf(stderr, "kernel_api: %s\n", what);
    std::_Exit(1);
}

bsl_kmem_cache* make_cache(const char* name, std::size_t size, void (*constructor)(void*) = nullptr)
{
    bsl_kmem_cache* cache = bsl_kmem_cache_create(name, size, 0, BSL_SLAB_NO_MERGE, constructor);
    if (cache == nullptr)
        fail("no cache");
    return cache;
}

void write_one(void* p)
{
    bench::escape(p);
    *static_cast<volatile char*>(p) = 1;
}

// --- pairs -------------------------------------------------------------------------------------

/// Pairs, while 0 … 15 objects more are held: an object whose address ends as that of the slot it is taken
/// from, within 4 KiB, costs some nanoseconds by that alone.
template <typename Take, typename Give>
void pairs_of(long n, Take take, Give give)
{
    constexpr long places = 16;
    void* held[places];
    for (long place = 0; place < places; ++place) {
        for (long i = 0; i < n / places; ++i) {
            void* p = take();
            write_one(p);
            give(p);
        }
        held[place] = take();
    }
    for (void* p : held)
        give(p);
}

void pairs(round_of& round)
{
    constexpr std::size_t size = 64;
    constexpr long count = 200'000;
    round.begin(1);
    round.time("pair/malloc", count, [](long n) {
        pairs_of(
            n, [] { return bsl_malloc(size); }, [](void* p) { bsl_free(p); });
    });
    bsl_kmem_cache* cache = make_cache("pairs", size);
    round.time("pair/cache", count, [cache](long n) {
        pairs_of(
            n, [cache] { return bsl_kmem_cache_alloc(cache, BSL_GFP_KERNEL); },
            [cache](void* p) { bsl_kmem_cache_free(cache, p); });
    });
    round.time("pair/page", count, [](long n) {
        for (long i = 0; i < n; ++i) {
            const unsigned long page = bsl_get_free_page(BSL_GFP_KERNEL);
            write_one(reinterpret_cast<void*>(page));
            bsl_free_page(page);
        }
    });
    round.time("pair/malloc_4096", count, [](long n) {
        for (long i = 0; i < n; ++i) {
            void* p = bsl_malloc(4096);
            write_one(p);
            bsl_free(p);
        }
    });
    round.run();
    bsl_kmem_cache_destroy(cache);
}

// --- constructed objects -----------------------------------------------------------------------

/// An inode, more or less: lists that are empty, and a table that is computed.
struct object
{
    struct node
    {
        node* next;
        node* prev;
    };
    node lists[8];
    std::uint32_t table[96];
};

void construct(void* at)
{
    auto* o = static_cast<object*>(at);
    for (object::node& list : o->lists)
        list = {&list, &list};
    std::uint32_t value = 1;
    for (std::uint32_t& word : o->table)
        word = value = value * 1664525 + 1013904223; // each from the one before
    bench::escape(o);
}

void objects(round_of& round)
{
    constexpr long count = 100'000;
    round.begin(2);
    alignas(object) static std::byte room[sizeof(object)];
    round.time("objects/construction", count, [](long n) {
        for (long i = 0; i < n; ++i)
            construct(room);
    });
    round.time("objects/malloc", count, [](long n) {
        for (long i = 0; i < n; ++i) {
            void* p = bsl_malloc(sizeof(object));
            bench::escape(p);
            construct(p);
            bsl_free(p);
        }
    });
    bsl_kmem_cache* cache = make_cache("objects", sizeof(object), construct);
    round.time("objects/cache", count, [cache](long n) {
        for (long i = 0; i < n; ++i) {
            void* p = bsl_kmem_cache_alloc(cache, BSL_GFP_KERNEL);
            bench::escape(p);
            bsl_kmem_cache_free(cache, p);
        }
    });
    round.run();
    bsl_kmem_cache_destroy(cache);
}

// --- bulk --------------------------------------------------------------------------------------

void bulk(round_of& round)
{
    constexpr std::size_t nr = 32;
    constexpr long count = 6'400 * nr;
    round.begin(3);
    bsl_kmem_cache* cache = make_cache("bulk", 64);
    round.time("bulk/one_by_one", count, [cache](long n) {
        void* p[nr];
        for (long i = 0; i < n; i += nr) {
            for (void*& one : p)
                one = bsl_kmem_cache_alloc(cache, BSL_GFP_KERNEL);
            bench::escape(p);
            for (void* one : p)
                bsl_kmem_cache_free(cache, one);
        }
    });
    round.time("bulk/at_once", count, [cache](long n) {
        void* p[nr];
        for (long i = 0; i < n; i += nr) {
            if (bsl_kmem_cache_alloc_bulk(cache, BSL_GFP_KERNEL, nr, p) != nr)
                fail("no bulk");
            bench::escape(p);
            bsl_kmem_cache_free_bulk(cache, nr, p);
        }
    });
    round.run();
    bsl_kmem_cache_destroy(cache);
}

// --- a heap for each request -------------------------------------------------------------------

constexpr std::size_t blocks_per_request = 100;

/// Sizes of a request's blocks: most are small.
struct request_sizes
{
    std::size_t of[blocks_per_request];

    request_sizes()
    {
        bench::random random(7);
        for (std::size_t& size : of)
            size = random.log_uniform(16, 1024);
    }
};

void heap_requests(const request_sizes& sizes, unsigned flags, long n)
{
    for (long i = 0; i < n; i += blocks_per_request) {
        bsl_heap* heap = bsl_heap_create("request", flags, 0);
        for (std::size_t size : sizes.of)
            write_one(bsl_heap_alloc(heap, size));
        bsl_heap_destroy(heap);
    }
}

void requests(round_of& round)
{
    constexpr long count = 2'000 * blocks_per_request;
    const request_sizes sizes;
    round.begin(4);
    round.time("request/malloc", count, [&sizes](long n) {
        void* p[blocks_per_request];
        for (long i = 0; i < n; i += blocks_per_request) {
            for (std::size_t b = 0; b < blocks_per_request; ++b)
                write_one(p[b] = bsl_malloc(sizes.of[b]));
            for (void* one : p)
                bsl_free(one);
        }
    });
    round.time("request/heap", count, [&sizes](long n) { heap_requests(sizes, 0, n); });
    round.time("request/heap_one_thread", count,
               [&sizes](long n) { heap_requests(sizes, BSL_HEAP_ONE_THREAD, n); });
    round.run();
}

// --- std::pmr ----------------------------------------------------------------------------------

constexpr long document_nodes = 1000;

/// A map of 1000 strings, made and destroyed: per node.
void documents(std::pmr::memory_resource* resource, long n)
{
    for (long i = 0; i < n; i += document_nodes) {
        std::pmr::map<long, std::pmr::string> map(resource);
        for (long k = 0; k < document_nodes; ++k)
            map.emplace_hint(map.end(), k, "longer than the small buffer");
        bench::escape(&map);
    }
}

/// A queue: the oldest node goes, a new one comes.
void queue(std::pmr::memory_resource* resource, long n)
{
    std::pmr::list<long> list(1000, 0, resource);
    for (long i = 0; i < n; ++i) {
        list.pop_front();
        list.push_back(i);
    }
    bench::escape(&list);
}

/// A resource for each document.
template <class Resource, class... Arguments>
void own_documents(long n, Arguments... arguments)
{
    for (long i = 0; i < n; i += document_nodes) {
        Resource resource(arguments...);
        documents(&resource, document_nodes);
    }
}

void pmr(round_of& round)
{
    constexpr long count = 200 * document_nodes;
    round.begin(5);
    const auto queue_on = [&round](const char* name, std::pmr::memory_resource& resource) {
        round.time(name, count, [&resource](long n) { queue(&resource, n); });
    };
    std::pmr::unsynchronized_pool_resource pool;
    buddyslab::memory_resource heap;
    buddyslab::cache_resource cache(32); // a node of the list
    buddyslab::heap_resource own("queue");
    buddyslab::heap_resource own_one_thread("queue", BSL_HEAP_ONE_THREAD);
    queue_on("pmr_queue/default", *std::pmr::new_delete_resource());
    queue_on("pmr_queue/pool", pool);
    queue_on("pmr_queue/memory_resource", heap);
    queue_on("pmr_queue/cache_resource", cache);
    queue_on("pmr_queue/heap_resource", own);
    queue_on("pmr_queue/heap_one_thread", own_one_thread);

    round.time("pmr_document/default", count,
               [](long n) { documents(std::pmr::new_delete_resource(), n); });
    round.time("pmr_document/pool", count,
               [](long n) { own_documents<std::pmr::unsynchronized_pool_resource>(n); });
    round.time("pmr_document/monotonic", count,
               [](long n) { own_documents<std::pmr::monotonic_buffer_resource>(n); });
    round.time("pmr_document/memory_resource", count, [&heap](long n) { documents(&heap, n); });
    round.time("pmr_document/heap_resource", count,
               [](long n) { own_documents<buddyslab::heap_resource>(n); });
    round.time("pmr_document/heap_one_thread", count, [](long n) {
        own_documents<buddyslab::heap_resource>(n, "document", BSL_HEAP_ONE_THREAD);
    });
    round.run();
}

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    bench::report report;
    round_of round(options, report);
    pairs(round);
    objects(round);
    bulk(round);
    requests(round);
    pmr(round);
    report.print();
}
