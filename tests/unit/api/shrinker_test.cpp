#include <buddyslab/kmem_cache.h>
#include <buddyslab/malloc.h>
#include <buddyslab/shrinker.h>

#include <catch2/catch.hpp>
#include <cerrno>
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
    const bsl_kmem_cache_args args{sizeof args, 0, nullptr, 32 << 10};
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
