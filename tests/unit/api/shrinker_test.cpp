#include <buddyslab/kmem_cache.h>
#include <buddyslab/malloc.h>
#include <buddyslab/pages.h>
#include <buddyslab/shrinker.h>

#include "unit/child.hpp"

#include <catch2/catch.hpp>
#include <cerrno>
#include <sys/resource.h>
#include <vector>

namespace
{

/// A cache of the program's own: objects that it can do without.
struct hoard : bsl_shrinker
{
    bsl_kmem_cache* cache;
    std::vector<void*> objects;
    unsigned nr_counts = 0;
    unsigned nr_scans = 0;

    explicit hoard(bsl_kmem_cache* of) : bsl_shrinker{count, scan, 4, nullptr}, cache(of)
    {
        objects.reserve(1000);
        REQUIRE(bsl_register_shrinker(this) == 0);
    }
    ~hoard() { bsl_unregister_shrinker(this); }

    static unsigned long count(bsl_shrinker* s, bsl_shrink_control*)
    {
        auto& self = *static_cast<hoard*>(s);
        ++self.nr_counts;
        return self.objects.empty() ? BSL_SHRINK_EMPTY : self.objects.size();
    }
    static unsigned long scan(bsl_shrinker* s, bsl_shrink_control* control)
    {
        auto& self = *static_cast<hoard*>(s);
        ++self.nr_scans;
        unsigned long n = 0;
        for (; n < control->nr_to_scan && !self.objects.empty(); ++n) {
            bsl_kmem_cache_free(self.cache, self.objects.back());
            self.objects.pop_back();
        }
        return n;
    }
};

} // namespace

TEST_CASE("a shrinker makes room in a cache at its limit")
{
    const bsl_kmem_cache_args args{sizeof args, 0, nullptr, 32 << 10, nullptr, nullptr};
    bsl_kmem_cache* limited = bsl_kmem_cache_create_args("limited", 1000, &args, BSL_SLAB_ACCOUNT);
    {
        hoard mine(limited);
        while (mine.nr_scans == 0) {
            void* p = bsl_kmem_cache_alloc(limited, BSL_GFP_KERNEL);
            REQUIRE(p != nullptr);
            mine.objects.push_back(p);
            REQUIRE(mine.objects.size() < 40);
        }
        CHECK(mine.nr_scans > 1); // four at a time
        CHECK(mine.objects.size() == 1);
        bsl_kmem_cache_free(limited, mine.objects[0]);
        mine.objects.clear();
    }
    CHECK(bsl_kmem_cache_destroy(limited) == 0);
}

TEST_CASE("trim asks shrinkers, and those that are gone no more")
{
    bsl_kmem_cache* cache = bsl_kmem_cache_create("c", 500, 0, BSL_SLAB_NO_MERGE, nullptr);
    unsigned before = 0;
    {
        hoard mine(cache);
        for (int i = 0; i < 10; ++i)
            mine.objects.push_back(bsl_kmem_cache_alloc(cache, BSL_GFP_KERNEL));
        bsl_malloc_trim(0);
        CHECK(mine.objects.empty());
        CHECK(mine.nr_scans == 3);
        before = mine.nr_counts;
        bsl_unregister_shrinker(&mine);
        bsl_malloc_trim(0);
        CHECK(mine.nr_counts == before);
        REQUIRE(bsl_register_shrinker(&mine) == 0);
    }
    CHECK(bsl_kmem_cache_destroy(cache) == 0);
}

TEST_CASE("a shrinker without functions, and one too many")
{
    bsl_shrinker none{};
    CHECK(bsl_register_shrinker(&none) == -EINVAL);
    std::vector<bsl_shrinker> many(65, bsl_shrinker{hoard::count, hoard::scan, 0, nullptr});
    for (size_t i = 0; i < 64; ++i)
        REQUIRE(bsl_register_shrinker(&many[i]) == 0);
    CHECK(bsl_register_shrinker(&many[64]) == -ENOSPC);
    for (size_t i = 0; i < 64; ++i)
        bsl_unregister_shrinker(&many[i]);
}

namespace
{

/// Page frames that the program can do without.
struct page_hoard : bsl_shrinker
{
    static constexpr unsigned nr_pages = 4000;
    bsl_page* pages[nr_pages];
    unsigned nr = 0;
    unsigned nr_scans = 0;

    page_hoard() : bsl_shrinker{count, scan, 16, nullptr}
    {
        while (nr < nr_pages)
            pages[nr++] = bsl_alloc_page(BSL_GFP_KERNEL);
    }
    static unsigned long count(bsl_shrinker* s, bsl_shrink_control*)
    {
        return static_cast<page_hoard*>(s)->nr;
    }
    static unsigned long scan(bsl_shrinker* s, bsl_shrink_control* control)
    {
        auto& self = *static_cast<page_hoard*>(s);
        ++self.nr_scans;
        for (unsigned long n = 0; n < control->nr_to_scan; ++n)
            bsl_free_block(self.pages[--self.nr], 0);
        return control->nr_to_scan;
    }
};

void give_no_more_memory()
{
    rlimit limit{};
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = 0;
    setrlimit(RLIMIT_AS, &limit);
}

} // namespace

TEST_CASE("below the low watermark shrinkers are asked for a part, before a request fails")
{
    const child_result result = in_child([] {
        static page_hoard mine;
        if (bsl_register_shrinker(&mine) != 0)
            _exit(2);
        give_no_more_memory();
        while (mine.nr_scans == 0) {
            if (bsl_alloc_page(BSL_GFP_KERNEL) == nullptr)
                _exit(3);
        }
        if (mine.nr == page_hoard::nr_pages || mine.nr < page_hoard::nr_pages - 500)
            _exit(4);
        unsigned nr_more = 0;
        while (bsl_alloc_page(BSL_GFP_KERNEL) != nullptr)
            ++nr_more;
        if (errno != ENOMEM || mine.nr != 0 || nr_more < page_hoard::nr_pages - 500)
            _exit(5);
    });
    CHECK(result.status == 0);
}

#if !defined(__SANITIZE_THREAD__) // a minute of mapping shadows
TEST_CASE("shrinkers are asked when addresses below 4 GiB are used up")
{
    const child_result result = in_child([] {
        static page_hoard mine;
        for (unsigned i = 0; i < page_hoard::nr_pages; ++i) {
            bsl_free_block(mine.pages[i], 0);
            mine.pages[i] = bsl_alloc_page(BSL_GFP_KERNEL | BSL_GFP_DMA32);
        }
        constexpr bsl_gfp_t gfp = BSL_GFP_KERNEL | BSL_GFP_DMA32;
        while (bsl_alloc_pages(gfp, BSL_MAX_PAGE_ORDER) != nullptr) {
        }
        if (bsl_register_shrinker(&mine) != 0)
            _exit(2);
        while (mine.nr_scans == 0) {
            if (bsl_alloc_page(gfp) == nullptr)
                _exit(3);
        }
        if (mine.nr < page_hoard::nr_pages / 10 || bsl_alloc_page(gfp) == nullptr)
            _exit(5);
    });
    CHECK(result.status == 0);
}
#endif
