#include "unit/child.hpp"

#include <algorithm>
#include <buddyslab/heap.h>
#include <buddyslab/malloc.h>
#include <buddyslab/stats.h>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace
{

constexpr std::size_t mib = std::size_t{1} << 20;

bsl_heap_stats stats_of(bsl_heap* heap)
{
    bsl_heap_stats stats{};
    stats.size = sizeof stats;
    REQUIRE(bsl_heap_get_stats(heap, &stats) == 0);
    return stats;
}

std::size_t in_use_now()
{
    bsl_stats stats{};
    stats.size = sizeof stats;
    REQUIRE(bsl_get_stats(&stats) == 0);
    return stats.in_use;
}

/// An object, and what was written over all of it.
struct piece
{
    unsigned char* p;
    std::size_t size;
    unsigned char fill;

    bool is_intact() const
    {
        for (std::size_t i = 0; i < size; ++i) {
            if (p[i] != fill)
                return false;
        }
        return true;
    }
};

piece make_piece(bsl_heap* heap, std::size_t size, unsigned char fill)
{
    auto* p = static_cast<unsigned char*>(bsl_heap_alloc(heap, size));
    REQUIRE(p != nullptr);
    REQUIRE(reinterpret_cast<std::uintptr_t>(p) % 16 == 0);
    REQUIRE(bsl_heap_usable_size(heap, p) >= size);
    std::memset(p, fill, size);
    return {p, size, fill};
}

} // namespace

TEST_CASE("a heap serves any size, and counts it")
{
    bsl_heap* heap = bsl_heap_create("sizes", 0, 0);
    REQUIRE(heap != nullptr);
    CHECK(std::string(bsl_heap_name(heap)) == "sizes");
    CHECK(stats_of(heap).held == 0);
    std::vector<piece> pieces;
    std::size_t asked = 0;
    for (std::size_t size = 1; size <= 12 * mib; size += size / 5 + 1) {
        pieces.push_back(make_piece(heap, size, static_cast<unsigned char>(pieces.size())));
        asked += size;
    }
    const bsl_heap_stats full = stats_of(heap);
    CHECK(full.nr_objects == pieces.size());
    CHECK(full.in_use >= asked);
    CHECK(full.in_use <= asked + asked / 2);
    CHECK(full.held >= full.in_use);
    CHECK(full.held_peak == full.held);
    CHECK(full.limit == 0);
    for (const piece& one : pieces)
        REQUIRE(one.is_intact());
    for (const piece& one : pieces)
        bsl_heap_free(heap, one.p);
    const bsl_heap_stats empty = stats_of(heap);
    CHECK(empty.nr_objects == 0);
    CHECK(empty.in_use == 0);
    CHECK(empty.held <= 64 * 32 * 1024); // the serving slab of each class stays
    bsl_heap_destroy(heap);
}

TEST_CASE("gigabytes in one piece come from a heap and go with it")
{
    const std::size_t before = in_use_now();
    bsl_heap* heap = bsl_heap_create(nullptr, 0, 0);
    CHECK(std::string(bsl_heap_name(heap)) == "private");
    constexpr std::size_t size = std::size_t{2048} * mib + 12345;
    auto* p = static_cast<char*>(bsl_heap_alloc(heap, size));
    REQUIRE(p != nullptr);
    p[0] = p[size - 1] = 1;
    CHECK(in_use_now() >= before + size);
    bsl_heap_destroy(heap);
    CHECK(in_use_now() < before + mib);
}

TEST_CASE("what a heap held is given back with it, however many objects are left")
{
    const std::size_t before = in_use_now();
    for (int round = 0; round < 3; ++round) {
        bsl_heap* heap = bsl_heap_create("documents", round == 1 ? BSL_HEAP_ONE_THREAD : 0, 0);
        std::mt19937 random(42);
        for (int i = 0; i < 50000; ++i)
            make_piece(heap, random() % 1000 + 1, 1);
        for (std::size_t size : {20000u, 100000u, 3000000u, 9000000u})
            make_piece(heap, size, 2);
        CHECK(stats_of(heap).nr_objects == 50004);
        bsl_heap_destroy(heap);
        // The descriptor of a heap is not an object of the program's.
        CHECK(in_use_now() <= before);
    }
}

TEST_CASE("a heap that was reset is empty and serves on")
{
    bsl_heap* heap = bsl_heap_create("reset", 0, 0);
    for (int round = 0; round < 10; ++round) {
        for (std::size_t size : {1u, 100u, 5000u, 70000u, 5000000u})
            make_piece(heap, size, 3);
        CHECK(stats_of(heap).nr_objects == 5);
        bsl_heap_reset(heap);
        const bsl_heap_stats empty = stats_of(heap);
        CHECK(empty.nr_objects == 0);
        CHECK(empty.held == 0);
        CHECK(empty.held_peak > 5000000);
    }
    bsl_heap_destroy(heap);
}

TEST_CASE("zeros are zeros, in memory that was used before")
{
    bsl_heap* heap = bsl_heap_create("zeros", 0, 0);
    for (std::size_t size : {1u, 48u, 1000u, 8192u, 8193u, 40000u, 6000000u}) {
        for (int round = 0; round < 3; ++round) {
            auto* p = static_cast<unsigned char*>(bsl_heap_zalloc(heap, size));
            REQUIRE(p != nullptr);
            CHECK(piece{p, size, 0}.is_intact());
            std::memset(p, 0xff, size);
            bsl_heap_free(heap, p);
        }
    }
    bsl_heap_destroy(heap);
}

TEST_CASE("any power of two is an alignment")
{
    bsl_heap* heap = bsl_heap_create("aligned", 0, 0);
    for (std::size_t align = 1; align <= 8 * mib; align *= 2) {
        for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{24}, std::size_t{700},
                                 std::size_t{9000}, 5 * mib}) {
            void* p = bsl_heap_aligned_alloc(heap, align, size);
            REQUIRE(p != nullptr);
            CHECK(reinterpret_cast<std::uintptr_t>(p) % align == 0);
            CHECK(bsl_heap_usable_size(heap, p) >= size);
            std::memset(p, 5, size);
            if (align % 3 == 1)
                bsl_heap_free(heap, p);
        }
    }
    errno = 0;
    CHECK(bsl_heap_aligned_alloc(heap, 48, 10) == nullptr);
    CHECK(errno == EINVAL);
    CHECK(bsl_heap_aligned_alloc(heap, 0, 10) == nullptr);
    bsl_heap_destroy(heap);
}

TEST_CASE("realloc within a heap keeps the contents")
{
    bsl_heap* heap = bsl_heap_create("grows", 0, 0);
    std::mt19937 random(7);
    std::vector<unsigned char> model;
    unsigned char* p = nullptr;
    const auto resize = [&](std::size_t size) {
        p = static_cast<unsigned char*>(bsl_heap_realloc(heap, p, size));
        REQUIRE(p != nullptr);
        const std::size_t common = model.size() < size ? model.size() : size;
        REQUIRE(std::equal(p, p + common, model.data()));
        model.resize(size);
        for (std::size_t i = common; i < size; ++i)
            p[i] = model[i] = static_cast<unsigned char>(random());
        REQUIRE(stats_of(heap).nr_objects == 1);
    };
    for (std::size_t size = 1; size < 20 * mib; size += size / 3 + 1)
        resize(size);
    for (std::size_t size = 20 * mib; size != 0; size /= 3)
        resize(size);
    for (int i = 0; i < 200; ++i)
        resize(random() % 200000 + 1);
    CHECK(bsl_heap_realloc(heap, p, 0) == nullptr);
    CHECK(stats_of(heap).nr_objects == 0);
    bsl_heap_destroy(heap);
}

TEST_CASE("random work in a heap keeps every byte and every count")
{
    for (unsigned flags : {0u, BSL_HEAP_ONE_THREAD}) {
        bsl_heap* heap = bsl_heap_create("model", flags, 0);
        std::mt19937 random(99);
        std::vector<piece> pieces;
        for (int i = 0; i < 40000; ++i) {
            if (pieces.size() < 300 || random() % 2 == 0) {
                const std::size_t size = random() % 50 == 0 ? random() % 100000 : random() % 600;
                pieces.push_back(make_piece(heap, size, static_cast<unsigned char>(i)));
                continue;
            }
            const std::size_t at = random() % pieces.size();
            REQUIRE(pieces[at].is_intact());
            bsl_heap_free(heap, pieces[at].p);
            pieces[at] = pieces.back();
            pieces.pop_back();
        }
        CHECK(stats_of(heap).nr_objects == pieces.size());
        for (const piece& one : pieces)
            REQUIRE(one.is_intact());
        bsl_heap_destroy(heap);
    }
}

TEST_CASE("a heap gives empty slabs back as its objects are freed")
{
    bsl_heap* heap = bsl_heap_create("shrinks", 0, 0);
    for (std::size_t size : {16u, 64u, 1000u, 3500u, 8000u}) {
        std::vector<piece> pieces;
        for (int i = 0; i < 5000; ++i)
            pieces.push_back(make_piece(heap, size, 1));
        const std::size_t full = stats_of(heap).held;
        for (const piece& one : pieces) // in the order of allocation
            bsl_heap_free(heap, one.p);
        CHECK(stats_of(heap).held <= 32768 * 8);
        CHECK(stats_of(heap).held < full);
    }
    bsl_heap_destroy(heap);
}

TEST_CASE("a limit is kept, and errno tells")
{
    bsl_heap* heap = bsl_heap_create("limited", 0, mib);
    CHECK(stats_of(heap).limit == mib);
    errno = 0;
    CHECK(bsl_heap_alloc(heap, mib + 1) == nullptr);
    CHECK(errno == ENOMEM);
    CHECK(bsl_heap_alloc(heap, 6 * mib) == nullptr);
    std::size_t nr = 0;
    errno = 0;
    while (bsl_heap_alloc(heap, 1000) != nullptr)
        ++nr;
    CHECK(errno == ENOMEM);
    CHECK(nr >= mib / 1024 * 9 / 10);
    CHECK(stats_of(heap).held <= mib);
    bsl_heap_reset(heap);
    void* p = bsl_heap_alloc(heap, mib / 2);
    REQUIRE(p != nullptr);
    CHECK(bsl_heap_realloc(heap, p, 2 * mib) == nullptr);
    CHECK(bsl_heap_realloc(heap, p, 9 * mib) == nullptr);
    CHECK(stats_of(heap).held == mib / 2);
    CHECK(bsl_heap_alloc(heap, mib / 2) != nullptr);
    bsl_heap_destroy(heap);
}

TEST_CASE("without a limit, what the system does not have is ENOMEM")
{
    bsl_heap* heap = bsl_heap_create("huge", 0, 0);
    for (std::size_t size : {SIZE_MAX, SIZE_MAX / 2, SIZE_MAX - 4096}) {
        errno = 0;
        CHECK(bsl_heap_alloc(heap, size) == nullptr);
        CHECK(errno == ENOMEM);
        CHECK(bsl_heap_zalloc(heap, size) == nullptr);
        CHECK(bsl_heap_aligned_alloc(heap, 64, size) == nullptr);
    }
    CHECK(stats_of(heap).held == 0);
    bsl_heap_destroy(heap);
}

TEST_CASE("free and its kin find the heap of an object")
{
    bsl_heap* heap = bsl_heap_create("found", 0, 0);
    for (std::size_t size : {10u, 3000u, 50000u, 5000000u}) {
        void* p = bsl_heap_alloc(heap, size);
        CHECK(bsl_malloc_usable_size(p) == bsl_heap_usable_size(heap, p));
        p = bsl_realloc(p, size * 3);
        REQUIRE(p != nullptr);
        CHECK(bsl_heap_usable_size(heap, p) >= size * 3); // still of this heap
        CHECK(stats_of(heap).nr_objects == 1);
        bsl_free(p);
        CHECK(stats_of(heap).nr_objects == 0);
    }
    bsl_heap_destroy(heap);
}

TEST_CASE("flags and sizes that are not known are refused")
{
    errno = 0;
    CHECK(bsl_heap_create("flags", 0x100, 0) == nullptr);
    CHECK(errno == EINVAL);
    bsl_heap* heap = bsl_heap_create("a name that is longer than a heap's name can be", 0, 0);
    CHECK(std::string(bsl_heap_name(heap)) == "a name that is longer than a he");
    bsl_heap_stats stats{};
    stats.size = sizeof stats - 1;
    CHECK(bsl_heap_get_stats(heap, &stats) == -EINVAL);
    bsl_heap_free(heap, nullptr);
    CHECK(bsl_heap_usable_size(heap, nullptr) == 0);
    bsl_heap_destroy(heap);
    bsl_heap_destroy(nullptr);
}

TEST_CASE("threads share a heap, and free what others allocated")
{
    bsl_heap* heap = bsl_heap_create("shared", 0, 0);
    constexpr int nr_threads = 4;
    std::vector<std::vector<piece>> made(nr_threads);
    const auto on_all = [](auto fn) {
        std::vector<std::thread> threads;
        for (int t = 0; t < nr_threads; ++t)
            threads.emplace_back(fn, t);
        for (std::thread& one : threads)
            one.join();
    };
    on_all([&](int t) {
        std::mt19937 random(static_cast<unsigned>(t));
        for (int i = 0; i < 4000; ++i) {
            const std::size_t size = i % 200 == 0 ? 30000 : random() % 300;
            auto* p = static_cast<unsigned char*>(bsl_heap_alloc(heap, size));
            std::memset(p, t, size);
            made[static_cast<std::size_t>(t)].push_back({p, size, static_cast<unsigned char>(t)});
        }
    });
    CHECK(stats_of(heap).nr_objects == nr_threads * 4000);
    std::atomic<bool> intact{true};
    on_all([&](int t) {
        for (const piece& one : made[static_cast<std::size_t>(t + 1) % nr_threads]) {
            if (!one.is_intact())
                intact = false;
            bsl_heap_free(heap, one.p);
        }
    });
    CHECK(intact);
    CHECK(stats_of(heap).nr_objects == 0);
    bsl_heap_destroy(heap);
}

TEST_CASE("heaps come and go in many threads")
{
    std::vector<std::thread> threads;
    std::atomic<bool> fine{true};
    for (unsigned t = 0; t < 4; ++t) {
        threads.emplace_back([t, &fine] {
            for (int round = 0; round < 300; ++round) {
                bsl_heap* heap = bsl_heap_create("request", t % 2 ? BSL_HEAP_ONE_THREAD : 0, 0);
                for (std::size_t i = 1; i <= 100; ++i) {
                    void* p = bsl_heap_alloc(heap, i * 7);
                    if (p == nullptr)
                        fine = false;
                    else
                        std::memset(p, static_cast<int>(t), i * 7);
                }
                bsl_heap_destroy(heap);
            }
        });
    }
    for (std::thread& one : threads)
        one.join();
    CHECK(fine);
}

TEST_CASE("a heap goes on in the child of a fork, whatever other threads do to theirs")
{
    bsl_heap* heap = bsl_heap_create("forked", 0, 0);
    const piece before = make_piece(heap, 1000, 9);
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
        threads.emplace_back([&] {
            while (!stop) {
                bsl_heap* own = bsl_heap_create("busy", 0, 0);
                for (std::size_t i = 0; i < 50; ++i) {
                    bsl_heap_free(heap, bsl_heap_alloc(heap, i * 100));
                    bsl_heap_free(own, bsl_heap_alloc(own, i * 50));
                }
                bsl_heap_destroy(own);
            }
        });
    }
    for (int i = 0; i < 20; ++i) {
        const child_result child = in_child([&] {
            bool fine = before.is_intact();
            for (std::size_t size = 1; size < 100000; size += size / 2 + 1) {
                void* p = bsl_heap_alloc(heap, size);
                fine = fine && p != nullptr;
                bsl_heap_free(heap, p);
            }
            bsl_heap* own = bsl_heap_create("child", 0, 0);
            fine = fine && bsl_heap_alloc(own, 100) != nullptr;
            bsl_heap_destroy(own);
            bsl_heap_destroy(heap);
            if (!fine)
                std::abort();
        });
        REQUIRE(child.succeeded());
    }
    stop = true;
    for (std::thread& one : threads)
        one.join();
    CHECK(stats_of(heap).nr_objects == 1);
    bsl_heap_destroy(heap);
}
