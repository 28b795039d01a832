#include <buddyslab/buddyslab.h>

#include "unit/api/nodes.hpp"
#include "unit/child.hpp"

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <iterator>

namespace
{

/// Through volatile, so that the compiler does not know better.
volatile std::size_t absurd = PTRDIFF_MAX;
volatile std::size_t half_of_all = SIZE_MAX / 2 + 1;

bool is_aligned(const void* p, std::size_t alignment)
{
    return reinterpret_cast<std::uintptr_t>(p) % alignment == 0;
}

} // namespace

TEST_CASE("bsl_malloc gives memory that can be used, resized and freed")
{
    for (std::size_t size = 0; size < 20 * 1024 * 1024; size = size * 3 / 2 + 1) {
        auto* p = static_cast<char*>(bsl_malloc(size));
        REQUIRE(p != nullptr);
        REQUIRE(is_aligned(p, BSL_MALLOC_ALIGNMENT));
        REQUIRE(bsl_malloc_usable_size(p) >= size);
        std::memset(p, 1, size);
        auto* q = static_cast<char*>(bsl_realloc(p, 2 * size + 1));
        REQUIRE(q != nullptr);
        REQUIRE((size == 0 || (q[0] == 1 && q[size - 1] == 1)));
        q = static_cast<char*>(bsl_reallocarray(q, size + 1, 1));
        REQUIRE((size == 0 || (q[0] == 1 && q[size - 1] == 1)));
        bsl_free_sized(q, size + 1);
    }
    bsl_free(nullptr);
    bsl_free_sized(nullptr, 0);
    CHECK(bsl_malloc_usable_size(nullptr) == 0);
    CHECK(bsl_realloc(bsl_malloc(5), 0) == nullptr);
}

TEST_CASE("bsl_calloc gives zeros, of used memory too")
{
    for (int round = 0; round < 3; ++round) {
        for (std::size_t size : {1UL, 100UL, 5000UL, 100000UL, 9UL << 20}) {
            auto* p = static_cast<char*>(bsl_calloc(size, 2));
            REQUIRE(p != nullptr);
            bool zeros = true;
            for (std::size_t i = 0; i < 2 * size; ++i)
                zeros &= p[i] == 0;
            REQUIRE(zeros);
            std::memset(p, 1, 2 * size);
            bsl_free(p);
        }
    }
}

TEST_CASE("bsl_aligned_alloc aligns to any power of two, and to nothing else")
{
    for (std::size_t alignment = 1; alignment <= 16 * 1024 * 1024; alignment *= 2) {
        void* p = bsl_aligned_alloc(alignment, 100);
        REQUIRE(p != nullptr);
        REQUIRE(is_aligned(p, alignment));
        bsl_free(p);
    }
    for (std::size_t alignment : {0UL, 3UL, 24UL, 1000UL}) {
        errno = 0;
        CHECK(bsl_aligned_alloc(alignment, 100) == nullptr);
        CHECK(errno == EINVAL);
    }
}

TEST_CASE("bsl_posix_memalign answers as POSIX has it")
{
    void* p = nullptr;
    errno = 4711;
    REQUIRE(bsl_posix_memalign(&p, 4096, 10) == 0);
    CHECK(is_aligned(p, 4096));
    bsl_free(p);
    p = &p;
    for (std::size_t alignment : {0UL, 1UL, 4UL, 24UL})
        CHECK(bsl_posix_memalign(&p, alignment, 10) == EINVAL);
    CHECK(bsl_posix_memalign(&p, 64, absurd) == ENOMEM);
    CHECK(p == &p);
    CHECK(errno == 4711);
}

TEST_CASE("what cannot be served is refused with ENOMEM")
{
    const auto refused = [](void* p) {
        const bool is_refused = p == nullptr && errno == ENOMEM;
        errno = 0;
        return is_refused;
    };
    errno = 0;
    CHECK(refused(bsl_malloc(absurd)));
    CHECK(refused(bsl_calloc(half_of_all, 2)));
    CHECK(refused(bsl_aligned_alloc(64, absurd)));
    auto* p = static_cast<char*>(bsl_malloc(10));
    p[0] = 1;
    CHECK(refused(bsl_realloc(p, absurd)));
    CHECK(refused(bsl_reallocarray(p, half_of_all, 2)));
    CHECK(p[0] == 1);
    bsl_free(p);
}

TEST_CASE("bsl_malloc_trim tells whether it gave anything back")
{
    void* p[100];
    for (void*& at : p) {
        at = bsl_malloc(100000);
        std::memset(at, 1, 100000);
    }
    for (void* at : p)
        bsl_free(at);
    CHECK(bsl_malloc_trim(0) == 1);
    CHECK(bsl_malloc_trim(0) == 0);
}

TEST_CASE("realloc to a size of the same class stays in place")
{
    for (std::size_t size : {16u, 32u, 160u, 1000u, 100000u}) {
        void* p = bsl_malloc(size);
        CHECK(bsl_realloc(p, size - (size == 16 ? 15 : size / 8)) == p);
        CHECK(bsl_realloc(p, size) == p);
        bsl_free(p);
    }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // their shadows need addresses
TEST_CASE("malloc goes on with small slabs where there are only single pages")
{
    const child_result child = in_child([] {
        for (int i = 0; i < 30000; ++i)
            must(bsl_malloc(256) != nullptr, "no object at the start");
        const int nr = leave_single_pages();
        for (int i = 0; i < nr; ++i)
            must(bsl_malloc(256) != nullptr, "no object although there are pages");
    });
    CHECK(child.text == "");
    CHECK(child.succeeded());
}

TEST_CASE("malloc's objects can be made smaller where there is no more memory")
{
    const child_result child = in_child([] {
        constexpr std::size_t sizes[] = {1000, 5000, 20000, 100000, 8 * bsl::mib};
        void* objects[std::size(sizes)];
        for (std::size_t i = 0; i < std::size(sizes); ++i)
            objects[i] = std::memset(bsl_malloc(sizes[i]), 3, sizes[i]);
        refuse_more_memory(bsl::mib);
        for (std::size_t size : {bsl::mib, 10000ul, 100ul, 50ul, 16ul})
            while (bsl_malloc(size) != nullptr)
                ;
        for (std::size_t i = 0; i < std::size(sizes); ++i) {
            errno = 7;
            auto* p = static_cast<char*>(bsl_realloc(objects[i], 100));
            must(p != nullptr, "not made smaller");
            must(errno == 7, "errno");
            must(is_filled(p, 100, 3), "contents");
        }
    });
    CHECK(child.text == "");
    CHECK(child.succeeded());
}
#endif
