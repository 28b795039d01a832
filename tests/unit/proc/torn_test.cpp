// Memory that changes while it is read, or that a program has overwritten: whatever stands in it, a walk
// and its reports end, and touch nothing but their own memory.  (Sanitizers say whether they do.)

#include "unit/proc/own_memory.hpp"

#include "heap/private_heap.hpp"
#include "proc/report.hpp"

#include <buddyslab/kmem_cache.h>
#include <buddyslab/pages.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <vector>

using namespace bsl;

namespace
{

/// Something of everything.
class mixed_heap
{
public:
    mixed_heap()
    {
        for (std::size_t size = 16; size < 9 * mib; size += size / 3)
            objects_.push_back(heap::malloc(size));
        for (unsigned n = 0; n < 20; ++n)
            cached_.push_back(bsl_kmem_cache_alloc(cache_, BSL_GFP_KERNEL));
        for (std::size_t i = 0; i < objects_.size(); i += 2)
            heap::free(std::exchange(objects_[i], nullptr));
        for (std::size_t size = 16; size < 6 * mib; size *= 3)
            heap::heap_alloc(*private_, size);
    }
    ~mixed_heap()
    {
        for (void* object : objects_)
            heap::free(object);
        for (void* object : cached_)
            bsl_kmem_cache_free(cache_, object);
        CHECK(bsl_kmem_cache_destroy(cache_) == 0);
        bsl_free_block(frames_, 3);
        heap::destroy_heap(*private_);
    }

private:
    std::vector<void*> objects_;
    std::vector<void*> cached_;
    bsl_kmem_cache* cache_ = bsl_kmem_cache_create("torn", 96, 0, BSL_SLAB_NO_MERGE, nullptr);
    bsl_page* frames_ = bsl_alloc_pages(BSL_GFP_KERNEL, 3);
    heap::private_heap* private_ = heap::make_heap({"torn"});
};

/// Our own memory, of which one read in `rarity` has wrong bytes.
class torn_memory
{
public:
    torn_memory(unsigned seed, unsigned rarity) : seed_(seed), rarity_(rarity) {}

    memory_source source()
    {
        return {this, [](void* context, std::uintptr_t from, void* to, std::size_t size) {
                    return static_cast<torn_memory*>(context)->read(from, to, size);
                }};
    }
    std::size_t nr_reads() const { return nr_reads_; }

private:
    unsigned random(std::size_t below)
    {
        seed_ = seed_ * 1664525u + 1013904223u;
        return static_cast<unsigned>((std::uint64_t{seed_} * below) >> 32);
    }

    bool read(std::uintptr_t from, void* to, std::size_t size)
    {
        ++nr_reads_;
        if (!own_memory.read(own_memory.context, from, to, size))
            return false;
        auto* bytes = static_cast<unsigned char*>(to);
        const bool are_pages = size >= bytes_per_page && size % bytes_per_page == 0;
        for (unsigned n = random(rarity_) == 0 ? 1 + random(are_pages ? 200 : 4) : 0; n != 0; --n)
            spoil(bytes[are_pages ? place_in_page(size) : random(size)]);
        return true;
    }

    void spoil(unsigned char& byte)
    {
        static constexpr unsigned char likely[] = {0, 1, 5, 10, 200, 255};
        byte = random(2) == 0 ? likely[random(std::size(likely))]
                              : static_cast<unsigned char>(random(256));
    }

    /// In what struct pages say of themselves, mostly.
    unsigned place_in_page(std::size_t size)
    {
        const auto at = static_cast<unsigned>(random(size / sizeof(page)) * sizeof(page));
        const unsigned from = random(4) == 0 ? 0 : unsigned{offsetof(page, state)};
        return at + from + random(sizeof(page) - from);
    }

    unsigned seed_;
    unsigned rarity_;
    std::size_t nr_reads_ = 0;
};

/// Reads everything that it is shown.
visitor curious(std::size_t& sum)
{
    visitor v{};
    v.context = &sum;
    v.block = [](void* context, const pageblock& copy, const page_note* notes, const page* pages) {
        auto& n = *static_cast<std::size_t*>(context);
        n += copy.nr_free;
        for (std::size_t i = 0; i < pages_per_pageblock; ++i)
            n += notes[i].cache + nr_pages_from_copy(pages[i]);
    };
    v.window = [](void* context, std::uintptr_t at, const vm_area& copy) {
        *static_cast<std::size_t*>(context) += at + copy.size;
    };
    v.thread = [](void* context, std::uintptr_t at, const thread_heap&, std::size_t nr) {
        *static_cast<std::size_t*>(context) += at + nr;
    };
    v.listed = [](void* context, std::uintptr_t block, unsigned order, std::uintptr_t) {
        *static_cast<std::size_t*>(context) += block + nr_pages(order);
    };
    v.cached = [](void* context, std::uintptr_t object, unsigned cache, std::uintptr_t, unsigned) {
        *static_cast<std::size_t*>(context) += object + cache;
    };
    return v;
}

void report(const report_input& input)
{
    for (const char* name : {"text", "json", "prometheus", "slabinfo", "buddyinfo", "pagetypeinfo",
                             "vmallocinfo", "zoneinfo", "meminfo"}) {
        std::size_t length = 0;
        stream to(
            [](void* context, std::string_view text) {
                *static_cast<std::size_t*>(context) += text.size();
                return true;
            },
            &length);
        print_report(to, name, input);
        CHECK(length < 64 * mib);
    }
}

} // namespace

TEST_CASE("a walk through memory that is torn ends, and its books balance")
{
    const mixed_heap heap;
    constexpr std::size_t reads_max = 10'000'000;
    auto seen = std::make_unique<snapshot>();
    std::size_t sum = 0;
    unsigned nr_whole = 0;
    unsigned nr_inexact = 0;
    for (unsigned round = 0; round < 600; ++round) {
        torn_memory memory(round * 2654435761u, 1u << (2 + round % 12));
        const memory_source from = memory.source();
        if (walk(from, heap_root, own_workspace(), *seen, curious(sum))) {
            ++nr_whole;
            nr_inexact += !seen->is_exact;
            const books parts = seen->balance();
            CHECK(parts.sum() == parts.mapped);
            report({*seen, from, heap_root, own_workspace()});
        }
        CHECK(memory.nr_reads() < reads_max);
    }
    CHECK(nr_whole > 20);
    CHECK(nr_inexact > 20);
    CHECK(sum != 0);
}

TEST_CASE("pages that are said to begin blocks of an impossible order are pages on their way")
{
    const mixed_heap heap;
    const memory_source from{nullptr, [](void*, std::uintptr_t at, void* to, std::size_t size) {
                                 if (!own_memory.read(own_memory.context, at, to, size))
                                     return false;
                                 workspace& space = own_workspace();
                                 for (page& p : space.pages) {
                                     const bool is_read =
                                         &p >= to && address_of(&p) < address_of(to) + size;
                                     if (is_read && p.state != page_state::free)
                                         p.order = 200;
                                 }
                                 return true;
                             }};
    auto seen = std::make_unique<snapshot>();
    std::size_t sum = 0;
    REQUIRE(walk(from, heap_root, own_workspace(), *seen, curious(sum)));
    CHECK_FALSE(seen->is_exact);
    CHECK(seen->all.nr_run_pages == 0);
    CHECK(seen->all.nr_elsewhere > 100);
    const books parts = seen->balance();
    CHECK(parts.sum() == parts.mapped);
}

TEST_CASE("an attempt that fails does not cost what an earlier one saw")
{
    struct failing
    {
        std::uintptr_t wrong; ///< what never fits to the rest, so that attempts are repeated
        std::size_t left;     ///< reads until nothing can be read any more
    };
    arena_state arenas{};
    REQUIRE(own_memory.read_object(address_of(heap_root.arenas), arenas));
    failing memory{address_of(arenas.mapped), SIZE_MAX};
    const memory_source from{
        &memory, [](void* context, std::uintptr_t at, void* to, std::size_t size) {
            auto& mine = *static_cast<failing*>(context);
            if (mine.left == 0 || !own_memory.read(own_memory.context, at, to, size))
                return false;
            --mine.left;
            if (at == mine.wrong)
                *static_cast<std::size_t*>(to) += bytes_per_page;
            return true;
        }};
    auto seen = std::make_unique<snapshot>();
    REQUIRE(walk(from, heap_root, own_workspace(), *seen, {}));
    CHECK_FALSE(seen->is_exact);
    const std::size_t reads = SIZE_MAX - memory.left;
    const std::size_t threads = seen->nr_threads;
    for (const std::size_t more : {std::size_t{1}, reads / 2}) {
        memory.left = reads + more;
        REQUIRE(take_snapshot(from, heap_root, own_workspace(), *seen));
        CHECK(seen->nr_threads == threads);
        CHECK(seen->balance().sum() == seen->balance().mapped);
    }
    memory.left = reads - 1;
    CHECK_FALSE(take_snapshot(from, heap_root, own_workspace(), *seen));
}
