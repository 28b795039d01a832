#include <buddyslab/kmalloc.h>
#include <buddyslab/kmem_cache.h>
#include <buddyslab/malloc.h>

#include "heap/object_caches.hpp"
#include "unit/child.hpp"

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <set>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace
{

/// A cache for one test.
struct cache_for_test
{
    bsl_kmem_cache* cache;

    explicit cache_for_test(size_t size, size_t align = 0, unsigned flags = BSL_SLAB_NO_MERGE,
                            void (*ctor)(void*) = nullptr)
        : cache(bsl_kmem_cache_create("of_a_test", size, align, flags, ctor))
    {}
    ~cache_for_test() { CHECK(bsl_kmem_cache_destroy(cache) == 0); }
    cache_for_test(const cache_for_test&) = delete;

    void* alloc(bsl_gfp_t gfp = BSL_GFP_KERNEL) { return bsl_kmem_cache_alloc(cache, gfp); }
    void free(void* p) { bsl_kmem_cache_free(cache, p); }
};

} // namespace

TEST_CASE("objects of a cache are apart, hold what is written, and come back")
{
    for (size_t size : {1, 8, 16, 24, 100, 1000, 4096, 10000, 32768, 40000, 1 << 20}) {
        cache_for_test of(size);
        REQUIRE(of.cache != nullptr);
        CHECK(bsl_kmem_cache_size(of.cache) == size);
        const unsigned nr = size > 10000 ? 8 : 500;
        std::vector<char*> objects;
        for (unsigned i = 0; i < nr; ++i) {
            objects.push_back(static_cast<char*>(of.alloc()));
            REQUIRE(objects.back() != nullptr);
            std::memset(objects.back(), static_cast<int>(i), size);
        }
        CHECK(bsl_kmem_cache_in_use(of.cache) == nr);
        for (unsigned i = 0; i < nr; ++i) {
            const char byte = static_cast<char>(i);
            REQUIRE((objects[i][0] == byte && objects[i][size - 1] == byte));
            of.free(objects[i]);
        }
        CHECK(bsl_kmem_cache_in_use(of.cache) == 0);
    }
}

TEST_CASE("objects of a cache are aligned as asked for")
{
    for (size_t align : {16, 64, 256, 4096}) {
        cache_for_test of(24, align);
        std::vector<void*> objects;
        for (int i = 0; i < 50; ++i) {
            objects.push_back(of.alloc());
            REQUIRE(reinterpret_cast<uintptr_t>(objects.back()) % align == 0);
        }
        for (void* p : objects)
            of.free(p);
    }
    cache_for_test lines(100, 0, BSL_SLAB_NO_MERGE | BSL_SLAB_HWCACHE_ALIGN);
    void* p = lines.alloc();
    CHECK(reinterpret_cast<uintptr_t>(p) % 64 == 0);
    lines.free(p);
}

TEST_CASE("a cache that is not possible is refused")
{
    const auto refused = [](const char* name, size_t size, size_t align, unsigned flags) {
        errno = 0;
        return bsl_kmem_cache_create(name, size, align, flags, nullptr) == nullptr &&
               errno == EINVAL;
    };
    CHECK(refused("x", 0, 0, 0));
    CHECK(refused("x", (4 << 20) + 1, 0, 0));
    CHECK(refused("x", 16, 3, 0));
    CHECK(refused("x", 16, 8192, 0));
    CHECK(refused("x", 16, 0, 1));
    CHECK(refused("x", 16, 0, BSL_SLAB_TYPESAFE_BY_RCU));
    CHECK(refused(nullptr, 16, 0, 0));
    cache_for_test of(32);
    errno = 0;
    CHECK(of.alloc(0x80000000u) == nullptr);
    CHECK(errno == EINVAL);
}

TEST_CASE("zalloc gives zeros, also in an object that was used")
{
    cache_for_test of(200);
    auto* p = static_cast<unsigned char*>(of.alloc());
    std::memset(p, 0xff, 200);
    of.free(p);
    auto* q = static_cast<unsigned char*>(bsl_kmem_cache_zalloc(of.cache, BSL_GFP_KERNEL));
    CHECK(q == p);
    for (int i = 0; i < 200; ++i)
        REQUIRE(q[i] == 0);
    of.free(q);
}

namespace
{

unsigned nr_constructed;

void construct(void* object)
{
    ++nr_constructed;
    bsl_free(bsl_malloc(3000)); // it may allocate
    std::strcpy(static_cast<char*>(object), "constructed");
}

} // namespace

TEST_CASE("a constructor runs once for each object and slab")
{
    nr_constructed = 0;
    cache_for_test of(100, 0, 0, construct);
    CHECK(bsl_kmem_cache_alloc(of.cache, BSL_GFP_KERNEL | BSL_GFP_ZERO) == nullptr);
    std::set<void*> seen;
    for (int round = 0; round < 100; ++round) {
        std::vector<void*> objects;
        for (int i = 0; i < 200; ++i) {
            objects.push_back(of.alloc());
            REQUIRE(std::string(static_cast<char*>(objects.back())) == "constructed");
            seen.insert(objects.back());
        }
        for (void* p : objects)
            of.free(p);
    }
    CHECK(nr_constructed >= seen.size());
    const unsigned before = nr_constructed;
    void* p = of.alloc();
    CHECK(nr_constructed == before);
    of.free(p);
    CHECK(nr_constructed < 100 * 200 / 10);

    cache_for_test large(100000, 0, 0, construct); // each object is a slab
    p = large.alloc();
    CHECK(std::string(static_cast<char*>(p)) == "constructed");
    large.free(p);
}

TEST_CASE("a cache has data of the program's, which its constructor gets")
{
    struct pool
    {
        unsigned nr_made;
    } mine{0};
    bsl_kmem_cache_args args{};
    args.size = sizeof args;
    args.user_data = &mine;
    args.ctor_with = [](void* object, void* user_data) {
        *static_cast<pool**>(object) = static_cast<pool*>(user_data);
        ++static_cast<pool*>(user_data)->nr_made;
    };
    for (size_t size : {size_t{48}, size_t{100000}}) {
        bsl_kmem_cache* cache = bsl_kmem_cache_create_args("of a pool", size, &args, 0);
        REQUIRE(cache != nullptr);
        CHECK(bsl_kmem_cache_user_data(cache) == &mine);
        mine.nr_made = 0;
        void* object = bsl_kmem_cache_alloc(cache, BSL_GFP_KERNEL);
        CHECK(*static_cast<pool**>(object) == &mine);
        CHECK(mine.nr_made >= 1);
        bsl_kmem_cache_free(cache, object);
        CHECK(bsl_kmem_cache_destroy(cache) == 0);
    }
    args.ctor = [](void*) {};
    errno = 0;
    CHECK(bsl_kmem_cache_create_args("two constructors", 48, &args, 0) == nullptr);
    CHECK(errno == EINVAL);
}

TEST_CASE("caches with data of the program's do not merge")
{
    bsl_kmem_cache* plain = bsl_kmem_cache_create("plain", 48, 0, 0, nullptr);
    bsl_kmem_cache_args args{};
    args.size = sizeof args;
    args.user_data = &args;
    bsl_kmem_cache* with_data = bsl_kmem_cache_create_args("with data", 48, &args, 0);
    CHECK(with_data != plain);
    CHECK(bsl_kmem_cache_user_data(plain) == nullptr);
    CHECK(bsl_kmem_cache_destroy(with_data) == 0);
    CHECK(bsl_kmem_cache_destroy(plain) == 0);
}

TEST_CASE("bulk is all or nothing, and a limit is kept")
{
    const bsl_kmem_cache_args args{sizeof args, 0, nullptr, 64 << 10, nullptr, nullptr};
    bsl_kmem_cache* limited = bsl_kmem_cache_create_args("limited", 1000, &args, BSL_SLAB_ACCOUNT);
    REQUIRE(limited != nullptr);
    std::vector<void*> objects(100);
    errno = 0;
    CHECK(bsl_kmem_cache_alloc_bulk(limited, BSL_GFP_KERNEL, 100, objects.data()) == 0);
    CHECK(errno == ENOMEM);
    CHECK(bsl_kmem_cache_in_use(limited) == 0);
    REQUIRE(bsl_kmem_cache_alloc_bulk(limited, BSL_GFP_KERNEL, 50, objects.data()) == 50);
    CHECK(bsl_kmem_cache_in_use(limited) == 50);
    CHECK(std::set<void*>(objects.begin(), objects.begin() + 50).size() == 50);
    bsl_kmem_cache_free_bulk(limited, 50, objects.data());
    CHECK(bsl_kmem_cache_destroy(limited) == 0);
}

TEST_CASE("what another thread keeps is found before a limit is an error")
{
    const bsl_kmem_cache_args args{sizeof args, 0, nullptr, 16 << 10, nullptr, nullptr};
    bsl_kmem_cache* limited = bsl_kmem_cache_create_args("limited", 1000, &args, BSL_SLAB_ACCOUNT);
    std::vector<void*> objects(12);
    std::thread([&] {
        REQUIRE(bsl_kmem_cache_alloc_bulk(limited, BSL_GFP_KERNEL, 12, objects.data()) == 12);
        bsl_kmem_cache_free_bulk(limited, 12, objects.data());
    }).join();
    CHECK(bsl_kmem_cache_alloc_bulk(limited, BSL_GFP_KERNEL, 12, objects.data()) == 12);
    bsl_kmem_cache_free_bulk(limited, 12, objects.data());
    CHECK(bsl_kmem_cache_destroy(limited) == 0);
}

TEST_CASE("many objects in bulk, of near and far caches, are apart and come back")
{
    constexpr size_t nr = 1000;
    std::vector<bsl_kmem_cache*> caches;
    for (size_t i = 0; i < bsl::nr_near_caches + 8; ++i)
        caches.push_back(bsl_kmem_cache_create("bulk", 40, 0, BSL_SLAB_NO_MERGE, nullptr));
    for (bsl_kmem_cache* cache : caches) {
        std::vector<void*> objects(nr);
        for (size_t n : {size_t{1}, size_t{61}, size_t{62}, nr}) {
            REQUIRE(bsl_kmem_cache_alloc_bulk(cache, BSL_GFP_KERNEL, n, objects.data()) == n);
            CHECK(std::set<void*>(objects.data(), objects.data() + n).size() == n);
            CHECK(bsl_kmem_cache_in_use(cache) == n);
            void* kept = std::exchange(objects[n / 2], nullptr); // which is ignored
            bsl_kmem_cache_free_bulk(cache, n, objects.data());
            CHECK(bsl_kmem_cache_in_use(cache) == 1);
            bsl_kmem_cache_free(cache, kept);
            CHECK(bsl_kmem_cache_in_use(cache) == 0);
        }
    }
    for (bsl_kmem_cache* cache : caches)
        CHECK(bsl_kmem_cache_destroy(cache) == 0);
}

TEST_CASE("an object of another cache among many is named")
{
    cache_for_test apples(64);
    for (bool last : {false, true}) {
        const child_result child = in_child([&] {
            bsl_kmem_cache* pears =
                bsl_kmem_cache_create("pears", 64, 0, BSL_SLAB_NO_MERGE, nullptr);
            void* objects[20];
            if (bsl_kmem_cache_alloc_bulk(pears, BSL_GFP_KERNEL, 20, objects) != 20)
                return;
            objects[last ? 19 : 7] = apples.alloc();
            bsl_kmem_cache_free_bulk(pears, 20, objects);
        });
        CHECK(child.aborted());
        CHECK(child.text.find("of cache of_a_test, given back to cache pears") !=
              std::string::npos);
    }
}

TEST_CASE("a prefilled sheaf gives what it has")
{
    cache_for_test of(64);
    bsl_sheaf* sheaf = bsl_kmem_cache_prefill_sheaf(of.cache, BSL_GFP_KERNEL, 10);
    REQUIRE(sheaf != nullptr);
    std::set<void*> objects;
    for (int i = 0; i < 10; ++i)
        objects.insert(bsl_kmem_cache_alloc_from_sheaf(of.cache, BSL_GFP_NOWAIT, sheaf));
    CHECK(objects.size() == 10);
    CHECK(objects.count(nullptr) == 0);
    CHECK(bsl_kmem_cache_alloc_from_sheaf(of.cache, BSL_GFP_NOWAIT, sheaf) == nullptr);
    CHECK(bsl_kmem_cache_refill_sheaf(of.cache, BSL_GFP_KERNEL, sheaf, 11) == -EINVAL);
    CHECK(bsl_kmem_cache_refill_sheaf(of.cache, BSL_GFP_KERNEL, sheaf, 5) == 0);
    CHECK(bsl_kmem_cache_sheaf_size(sheaf) == 5);
    bsl_kmem_cache_return_sheaf(of.cache, BSL_GFP_KERNEL, sheaf);
    for (void* p : objects)
        of.free(p);
    CHECK(bsl_kmem_cache_in_use(of.cache) == 0);
}

TEST_CASE("a sheaf that cannot be filled from what lies at hand is refused, whatever errno was")
{
    cache_for_test of(64);
    errno = 0;
    CHECK(bsl_kmem_cache_prefill_sheaf(of.cache, BSL_GFP_NOWAIT, 4096) == nullptr);
    CHECK(errno == ENOMEM);
    bsl_sheaf* sheaf = bsl_kmem_cache_prefill_sheaf(of.cache, BSL_GFP_KERNEL, 4096);
    REQUIRE(sheaf != nullptr);
    void* first = bsl_kmem_cache_alloc_from_sheaf(of.cache, BSL_GFP_NOWAIT, sheaf);
    errno = EDOM;
    CHECK(bsl_kmem_cache_refill_sheaf(of.cache, BSL_GFP_KERNEL, sheaf, 4096) == 0);
    CHECK(errno == EDOM);
    bsl_kmem_cache_return_sheaf(of.cache, BSL_GFP_KERNEL, sheaf);
    of.free(first);
}

TEST_CASE("caches of one size are one, unless one of them says otherwise")
{
    bsl_kmem_cache* a = bsl_kmem_cache_create("a", 72, 0, 0, nullptr);
    bsl_kmem_cache* b = bsl_kmem_cache_create("b", 80, 0, 0, nullptr);
    bsl_kmem_cache* c = bsl_kmem_cache_create("c", 72, 0, BSL_SLAB_NO_MERGE, nullptr);
    bsl_kmem_cache* d = bsl_kmem_cache_create("d", 96, 0, 0, nullptr);
    CHECK(a == b); // both are 80 bytes apart
    CHECK(std::string(bsl_kmem_cache_name(b)) == "a");
    CHECK(c != a);
    CHECK(d != a);
    void* p = bsl_kmem_cache_alloc(a, BSL_GFP_KERNEL);
    CHECK(bsl_kmem_cache_destroy(a) == 0); // b still has it
    bsl_kmem_cache_free(b, p);
    for (bsl_kmem_cache* cache : {b, c, d})
        CHECK(bsl_kmem_cache_destroy(cache) == 0);
}

TEST_CASE("a cache with objects in use stays")
{
    bsl_kmem_cache* cache = bsl_kmem_cache_create("busy", 48, 0, BSL_SLAB_NO_MERGE, nullptr);
    void* p = bsl_kmem_cache_alloc(cache, BSL_GFP_KERNEL);
    CHECK(bsl_kmem_cache_destroy(cache) == -EBUSY);
    bsl_kmem_cache_free(cache, p);
    CHECK(bsl_kmem_cache_alloc(cache, BSL_GFP_KERNEL) != nullptr);
    CHECK(bsl_kmem_cache_destroy(cache) == -EBUSY);
    bsl_kfree(p); // the last one freed is the first one given: it finds its cache itself
    CHECK(bsl_kmem_cache_destroy(cache) == 0);
}

TEST_CASE("slots of caches are used again, and are 512")
{
    std::vector<bsl_kmem_cache*> caches;
    for (int round = 0; round < 3; ++round) {
        caches.clear();
        for (size_t i = 0; i < 512; ++i) {
            const std::string name = "cache_with_quite_a_long_name_" + std::to_string(i);
            bsl_kmem_cache* made =
                bsl_kmem_cache_create(name.c_str(), 16 + i, 0, BSL_SLAB_NO_MERGE, nullptr);
            if (made == nullptr)
                break;
            CHECK(bsl_kmem_cache_name(made) == name);
            bsl_kmem_cache_free(made, bsl_kmem_cache_alloc(made, BSL_GFP_KERNEL));
            caches.push_back(made);
        }
        CHECK(caches.size() == 512);
        errno = 0;
        CHECK(bsl_kmem_cache_create("one", 16, 0, BSL_SLAB_NO_MERGE, nullptr) == nullptr);
        CHECK(errno == ENOSPC);
        for (bsl_kmem_cache* cache : caches)
            REQUIRE(bsl_kmem_cache_destroy(cache) == 0);
    }
}

TEST_CASE("slabs of a cache begin at different colours")
{
    cache_for_test of(192); // 21 objects leave 64 bytes of a page
    std::set<uintptr_t> offsets;
    std::vector<void*> objects;
    for (int i = 0; i < 2000; ++i) {
        objects.push_back(of.alloc());
        offsets.insert(reinterpret_cast<uintptr_t>(objects.back()) % 192 % 64);
    }
    std::set<uintptr_t> starts;
    for (void* p : objects) {
        const uintptr_t address = reinterpret_cast<uintptr_t>(p);
        if (address % 4096 < 192)
            starts.insert(address % 4096);
    }
    CHECK(starts.size() > 1);
    for (void* p : objects)
        of.free(p);
}

TEST_CASE("a cache serves many threads, which free each other's objects")
{
    cache_for_test of(56);
    std::vector<std::thread> threads;
    std::atomic<void*> exchange[64] = {};
    for (unsigned t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            unsigned seed = t + 1;
            for (int i = 0; i < 20000; ++i) {
                seed = seed * 1664525 + 1013904223;
                auto* p = static_cast<unsigned*>(of.alloc());
                p[0] = p[13] = seed;
                auto* old = static_cast<unsigned*>(exchange[seed >> 26].exchange(p));
                if (old != nullptr && old[0] == old[13])
                    of.free(old);
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    for (auto& slot : exchange)
        of.free(slot.load());
    CHECK(bsl_kmem_cache_in_use(of.cache) == 0);
}

TEST_CASE("a cache is usable in the child of a fork, while others use it")
{
    cache_for_test of(120);
    std::atomic<bool> stop{false};
    std::thread other([&] {
        while (!stop) {
            void* objects[100];
            for (void*& p : objects)
                p = of.alloc();
            for (void* p : objects)
                of.free(p);
        }
    });
    for (int i = 0; i < 20; ++i) {
        const pid_t pid = fork();
        if (pid == 0) {
            std::vector<void*> objects;
            for (int n = 0; n < 500; ++n)
                objects.push_back(of.alloc());
            for (void* p : objects)
                of.free(p);
            _exit(0);
        }
        int status = 1;
        waitpid(pid, &status, 0);
        CHECK(status == 0);
    }
    stop = true;
    other.join();
}

TEST_CASE("NOWAIT serves from what is at hand, and leaves errno alone")
{
    cache_for_test of(64);
    errno = 7;
    CHECK(of.alloc(BSL_GFP_NOWAIT) == nullptr); // nothing yet
    CHECK(errno == 7);
    void* first = of.alloc();
    std::set<void*> objects;
    while (void* p = of.alloc(BSL_GFP_NOWAIT)) {
        CHECK(p != first);
        CHECK(objects.insert(p).second);
        REQUIRE(objects.size() < 100000);
    }
    CHECK(objects.size() > 20);
    CHECK(errno == 7);
    CHECK(bsl_kmem_cache_in_use(of.cache) == objects.size() + 1);
    for (void* p : objects)
        of.free(p);
    of.free(first);
}
