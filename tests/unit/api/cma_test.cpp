#include <buddyslab/cma.h>
#include <buddyslab/malloc.h>

#include "config/limits.hpp"
#include "unit/child.hpp"
#include "unit/memory.hpp"

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <string>

using bsl::mib;

namespace
{

constexpr std::size_t page_bytes = BSL_PAGE_SIZE;

int declare(std::size_t base, std::size_t size, std::size_t limit, std::size_t alignment,
            unsigned order_per_bit, bool fixed, bsl_cma** area)
{
    return bsl_cma_declare_contiguous(base, size, limit, alignment, order_per_bit, fixed, "test",
                                      area);
}

bsl_cma* declare(std::size_t size)
{
    bsl_cma* area = nullptr;
    REQUIRE(declare(0, size, 0, 0, 0, false, &area) == 0);
    return area;
}

std::string text_of(const void* p)
{
    char text[32];
    std::snprintf(text, sizeof text, "%p", p);
    return text;
}

void check_message(const child_result& child, const std::string& wanted)
{
    CHECK(child.aborted());
    CHECK(child.text == "buddyslab: BUG " + wanted + "\n");
}

/// The compiler is not to say what is wrong with it: that is the library's part.
void (*volatile free_unseen)(void*) = bsl_free;

} // namespace

TEST_CASE("an area says where it is, and gives pages in one piece")
{
    bsl_cma* area = declare(8 * mib);
    char* base = static_cast<char*>(bsl_cma_get_base(area));
    CHECK(bsl_cma_get_size(area) == 8 * mib);
    CHECK(std::strcmp(bsl_cma_get_name(area), "test") == 0);
    bsl_page* pages = bsl_cma_alloc(area, 1500, 0, 0);
    REQUIRE(pages != nullptr);
    char* start = static_cast<char*>(bsl_page_address(pages));
    CHECK(start == base);
    std::memset(start, 1, 1500 * page_bytes);
    CHECK(bsl_virt_to_page(start + 1200 * page_bytes) != nullptr);
    errno = 0;
    CHECK(bsl_cma_alloc(area, 1500, 0, 1) == nullptr);
    CHECK(errno == ENOMEM);
    errno = 0;
    CHECK(bsl_cma_alloc(area, 0, 0, 1) == nullptr);
    CHECK(errno == EINVAL);
    CHECK(bsl_cma_release(area, pages, 1500) == 1);
    CHECK(bsl_cma_release(area, nullptr, 1) == 0);
}

TEST_CASE("an area is where it was asked for, or nowhere")
{
    bsl_cma* area = nullptr;
    bsl_cma* other = nullptr;
    REQUIRE(declare(0, 4 * mib, std::size_t{1} << 32, 0, 0, false, &area) == 0);
    const auto low = reinterpret_cast<std::uintptr_t>(bsl_cma_get_base(area));
    CHECK(low + 4 * mib <= std::uint64_t{1} << 32);
    CHECK(declare(low, 4 * mib, 0, 0, 0, true, &other) == -ENOMEM); // taken
    REQUIRE(declare(low, 4 * mib, 0, 0, 0, false, &other) == 0);
    CHECK(bsl_cma_get_base(other) != bsl_cma_get_base(area));
    REQUIRE(declare(0, 4 * mib, 0, 64 * mib, 0, false, &area) == 0);
    CHECK(reinterpret_cast<std::uintptr_t>(bsl_cma_get_base(area)) % (64 * mib) == 0);
}

#if !defined(__SANITIZE_THREAD__) // a minute of mapping shadows
TEST_CASE("an area is below its limit, whatever the limit")
{
    for (const unsigned bits : {32, 33, 36, 40, 46, 47, 63}) {
        bsl_cma* area = nullptr;
        const std::size_t limit = std::size_t{1} << bits;
        REQUIRE(declare(0, 4 * mib, limit, 0, 0, false, &area) == 0);
        CHECK(reinterpret_cast<std::uintptr_t>(bsl_cma_get_base(area)) + 4 * mib <= limit);
    }
}
#endif

TEST_CASE("declarations that contradict themselves are refused")
{
    bsl_cma* area = nullptr;
    CHECK(declare(0, 0, 0, 0, 0, false, &area) == -EINVAL);
    CHECK(declare(0, mib, 0, 0, 0, false, &area) == -EINVAL);
    CHECK(declare(0, 4 * mib, 0, 3, 0, false, &area) == -EINVAL);
    CHECK(declare(0, 4 * mib, 0, 0, 11, false, &area) == -EINVAL);
    CHECK(declare(0, 4 * mib, 0, 0, 0, true, &area) == -EINVAL);
    CHECK(declare(mib, 4 * mib, 0, 0, 0, true, &area) == -EINVAL);
    CHECK(declare(0, 8 * mib, 4 * mib, 0, 0, false, &area) == -EINVAL);
    CHECK(declare(64 * mib, 8 * mib, 64 * mib, 0, 0, false, &area) == -EINVAL);
    CHECK(declare(0, std::size_t{1} << 62, 0, 0, 0, false, &area) == -ENOMEM);
    CHECK(area == nullptr);
}

TEST_CASE("malloc's large objects use an idle area, and stay where they are when it is called for")
{
    bsl_cma* area = declare(16 * mib);
    char* base = static_cast<char*>(bsl_cma_get_base(area));
    char* object = static_cast<char*>(bsl_malloc(16 * mib - 100));
    REQUIRE(object != nullptr);
    CHECK(resident_pages(base, 16 * mib) == 0);
    std::memset(object, 0x42, 16 * mib - 100);
    bsl_page* pages = bsl_cma_alloc(area, 16 * mib / page_bytes, 0, 0);
    REQUIRE(pages != nullptr);
    std::memset(base, 0, 16 * mib);
    for (std::size_t i = 0; i < 16 * mib - 100; i += 1000)
        REQUIRE(object[i] == 0x42);
    bsl_free(object);
    CHECK(bsl_cma_release(area, pages, 16 * mib / page_bytes) == 1);
    bsl_malloc_trim(0);
    // It stays the process's memory, whatever is given back.
    CHECK(resident_pages(base, 16 * mib) == 16 * mib / page_bytes);
}

TEST_CASE("the child of a fork calls frames home, and so does the parent afterwards")
{
    bsl_cma* area = declare(8 * mib);
    char* object = static_cast<char*>(bsl_malloc(8 * mib));
    std::memset(object, 0x24, 8 * mib);
    const auto call = [=] {
        bsl_page* pages = bsl_cma_alloc(area, 8 * mib / page_bytes, 0, 0);
        if (pages == nullptr)
            std::abort();
        std::memset(bsl_page_address(pages), 0x99, 8 * mib);
        for (std::size_t i = 0; i < 8 * mib; i += 1000) {
            if (object[i] != 0x24)
                std::abort();
        }
        if (bsl_cma_release(area, pages, 8 * mib / page_bytes) != 1)
            std::abort();
    };
    const child_result child = in_child([=] {
        call();
        bsl_free(object);
        bsl_malloc_trim(0);
        bsl_page* pages = bsl_cma_alloc(area, 10, 0, 0);
        if (pages == nullptr || bsl_cma_release(area, pages, 10) != 1)
            std::abort();
    });
    CHECK(child.succeeded());
    CHECK(child.text.empty());
    call();
    bsl_free(object);
}

TEST_CASE("mistakes with pages of an area are named")
{
    bsl_cma* area = declare(4 * mib);
    bsl_page* pages = bsl_cma_alloc(area, 10, 0, 0);
    void* p = bsl_page_address(pages);
    check_message(in_child([=] { bsl_cma_release(area, pages, 11); }),
                  "cma_release(" + text_of(p) +
                      "): not in use: of these 11 pages some are free already");
    check_message(in_child([=] {
                      bsl_cma_release(area, pages, 10);
                      bsl_cma_release(area, pages, 10);
                  }),
                  "cma_release(" + text_of(p) +
                      "): not in use: of these 10 pages some are free already");
    check_message(in_child([=] { bsl_free_block(pages, 0); }),
                  "__free_pages(" + text_of(p) +
                      "): not from alloc_pages: the page is one of cma_alloc's");
    check_message(in_child([=] { free_unseen(p); }),
                  "free(" + text_of(p) + "): memory of cma_alloc, which cma_release takes back");
    bsl_cma* other = declare(4 * mib);
    CHECK(bsl_cma_release(other, pages, 10) == 0);
    CHECK(bsl_cma_release(area, pages, 10) == 1);
}

extern "C" int use_kernel_names(void); // kernel_names.c

TEST_CASE("the kernel's own names do the same")
{
    CHECK(use_kernel_names() == 0);
}
