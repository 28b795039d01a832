#include <buddyslab/kmalloc.h>
#include <buddyslab/malloc.h>
#include <buddyslab/vmalloc.h>

#include "unit/child.hpp"

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

TEST_CASE("kmalloc and malloc take back each other's memory")
{
    for (size_t size : {1u, 100u, 5000u, 100000u, BSL_KMALLOC_MAX_SIZE}) {
        void* p = bsl_kmalloc(size, BSL_GFP_KERNEL);
        REQUIRE(p != nullptr);
        CHECK(bsl_ksize(p) >= size);
        std::memset(p, 1, size);
        bsl_free(p);
        bsl_kfree(bsl_malloc(size));
        p = bsl_kzalloc(size, BSL_GFP_KERNEL);
        for (size_t i = 0; i < size; i += 61)
            REQUIRE(static_cast<char*>(p)[i] == 0);
        bsl_kfree_sensitive(p);
    }
}

TEST_CASE("what kmalloc refuses")
{
    errno = 0;
    CHECK(bsl_kmalloc(BSL_KMALLOC_MAX_SIZE + 1, BSL_GFP_KERNEL) == nullptr);
    CHECK(errno == ENOMEM);
    CHECK(bsl_kmalloc(10, 0x80000000u) == nullptr);
    CHECK(errno == EINVAL);
    volatile size_t huge = SIZE_MAX / 2;
    CHECK(bsl_kmalloc_array(huge, 3, BSL_GFP_KERNEL) == nullptr);
    CHECK(errno == ENOMEM);
    CHECK(bsl_kcalloc(huge, 3, BSL_GFP_KERNEL) == nullptr);
}

TEST_CASE("objects of no size")
{
    void* p = bsl_kmalloc(0, BSL_GFP_KERNEL);
    CHECK(p == BSL_ZERO_SIZE_PTR);
    CHECK(bsl_ksize(p) == 0);
    bsl_kfree(p);
    bsl_kfree(nullptr);
    p = bsl_krealloc(p, 100, BSL_GFP_KERNEL);
    REQUIRE(p != nullptr);
    std::memset(p, 5, 100);
    p = bsl_krealloc(p, 10000, BSL_GFP_KERNEL);
    CHECK(static_cast<char*>(p)[99] == 5);
    CHECK(bsl_krealloc(p, 0, BSL_GFP_KERNEL) == BSL_ZERO_SIZE_PTR);
}

TEST_CASE("copies")
{
    char* text = bsl_kstrdup("buddy", BSL_GFP_KERNEL);
    CHECK(std::string(text) == "buddy");
    char* part = bsl_kstrndup(text, 3, BSL_GFP_KERNEL);
    CHECK(std::string(part) == "bud");
    void* copy = bsl_kmemdup(text, 6, BSL_GFP_KERNEL);
    CHECK(std::memcmp(copy, text, 6) == 0);
    CHECK(bsl_kstrdup(nullptr, BSL_GFP_KERNEL) == nullptr);
    for (void* p : {static_cast<void*>(text), static_cast<void*>(part), copy})
        bsl_kfree(p);
}

TEST_CASE("kvmalloc takes any size")
{
    for (size_t size : {size_t{100}, size_t{20} << 20}) {
        auto* p = static_cast<char*>(bsl_kvzalloc(size, BSL_GFP_KERNEL));
        REQUIRE(p != nullptr);
        CHECK((p[0] == 0 && p[size - 1] == 0));
        bsl_kvfree(p);
    }
}

namespace
{

/// Can the byte be read?  Asks the kernel.
bool is_readable(const void* p)
{
    int pipe_ends[2];
    REQUIRE(pipe(pipe_ends) == 0);
    const bool readable = write(pipe_ends[1], p, 1) == 1;
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    return readable;
}

} // namespace

TEST_CASE("a window ends with a guard, wherever it is")
{
    for (size_t size : {size_t{1}, size_t{5000}, size_t{4} << 20, size_t{9} << 20}) {
        auto* p = static_cast<char*>(bsl_vzalloc(size));
        REQUIRE(p != nullptr);
        const size_t room = bsl_malloc_usable_size(p);
        CHECK(room >= size);
        CHECK(room % 4096 == 0);
        CHECK(p[room - 1] == 0);
        CHECK_FALSE(is_readable(p + room));
        CHECK(bsl_is_vmalloc_addr(p + size - 1) == 1);
        std::memset(p, 7, size);

        auto* q = static_cast<char*>(bsl_vrealloc(p, 3 * size + 4096));
        REQUIRE(q != nullptr);
        const size_t more = bsl_malloc_usable_size(q);
        CHECK(more >= 3 * size + 4096);
        CHECK((q[0] == 7 && q[size - 1] == 7));
        q[more - 1] = 1;
        CHECK_FALSE(is_readable(q + more));
        if (size % 2 != 0)
            bsl_free(q);
        else
            bsl_vfree(q);
    }
    // Neither guard stays in a window that goes to somebody else.
    for (int i = 0; i < 10; ++i) {
        const size_t size = (size_t{5} + static_cast<size_t>(i % 3)) << 20;
        auto* p = static_cast<char*>(bsl_malloc(size));
        std::memset(p, i, bsl_malloc_usable_size(p));
        bsl_free(p);
        bsl_vfree(bsl_vmalloc(size));
    }
    CHECK(bsl_vmalloc(0) == nullptr);
    CHECK(errno == EINVAL);
    int local = 0;
    CHECK(bsl_is_vmalloc_addr(&local) == 0);
    CHECK(bsl_is_vmalloc_addr(nullptr) == 0);
}

TEST_CASE("a window whose guard cannot be opened again is nobody's next")
{
    constexpr size_t size = size_t{8} << 20;
    const child_result result = in_child([] {
        void* p = bsl_vmalloc(size);
        rlimit all{};
        getrlimit(RLIMIT_DATA, &all);
        rlimit little = all;
        little.rlim_cur = 4096; // no page more than there are
        setrlimit(RLIMIT_DATA, &little);
        bsl_vfree(p);
        setrlimit(RLIMIT_DATA, &all);
        void* next[4];
        for (void*& q : next) {
            q = bsl_malloc(size + 4096);
            std::memset(q, 1, size + 4096);
        }
    });
    CHECK(result.succeeded());
    CHECK(result.text.empty());
}

TEST_CASE("kfree and krealloc take what realloc moved into a window")
{
    void* objects[8];
    for (void*& p : objects)
        p = bsl_malloc(1 << 20);
    unsigned nr_windows = 0;
    for (void*& p : objects) {
        p = bsl_realloc(p, 3 << 20);
        REQUIRE(p != nullptr);
        nr_windows += bsl_is_vmalloc_addr(p);
    }
    CHECK(nr_windows != 0);
    objects[0] = bsl_krealloc(objects[0], 4 << 20, BSL_GFP_KERNEL);
    REQUIRE(objects[0] != nullptr);
    for (void* p : objects)
        bsl_kfree(p);
}

TEST_CASE("realloc of a guarded window")
{
    auto* p = static_cast<char*>(bsl_vmalloc(size_t{6} << 20));
    p[0] = 3;
    p = static_cast<char*>(bsl_realloc(p, size_t{40} << 20));
    REQUIRE(p != nullptr);
    std::memset(p + 1, 1, (size_t{40} << 20) - 1);
    CHECK(p[0] == 3);
    bsl_free(p);
}
