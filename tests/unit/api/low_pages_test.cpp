#include "unit/api/pages.hpp"

TEST_CASE("GFP_DMA32 gives addresses below 4 GiB")
{
    std::vector<std::pair<bsl_page*, unsigned>> blocks;
    for (unsigned round = 0; round < 5; ++round) {
        for (unsigned order = 0; order <= BSL_MAX_PAGE_ORDER; ++order) {
            const std::size_t size = page_bytes << order;
            bsl_page* first =
                bsl_alloc_pages(BSL_GFP_KERNEL | BSL___GFP_DMA32 | BSL___GFP_ZERO, order);
            REQUIRE(first != nullptr);
            char* start = static_cast<char*>(bsl_page_address(first));
            REQUIRE(reinterpret_cast<std::uintptr_t>(start) + size <= std::uint64_t{1} << 32);
            REQUIRE(reinterpret_cast<std::uintptr_t>(start) % size == 0);
            REQUIRE(bsl_virt_to_page(start) == first);
            REQUIRE(is_filled(start, size, 0));
            std::memset(start, 0x33, size);
            blocks.emplace_back(first, order);
        }
    }
    for (auto [first, order] : blocks)
        bsl_free_block(first, order);
    void* exact = bsl_alloc_pages_exact(70000, BSL_GFP_KERNEL | BSL___GFP_DMA32);
    CHECK(reinterpret_cast<std::uintptr_t>(exact) + 70000 < std::uint64_t{1} << 32);
    bsl_free_pages_exact(exact, 70000);

    // Ordinary pages do not come from there.
    void* ordinary = pages_of(0);
    CHECK(reinterpret_cast<std::uintptr_t>(ordinary) >= std::uint64_t{1} << 32);
    free_pages(ordinary, 0);
    bsl_malloc_trim(0);
}

#if !defined(__SANITIZE_THREAD__) // one thread only, and a minute of mapping shadows
TEST_CASE(
    "when addresses below 4 GiB are used up, GFP_DMA32 gives NULL, and gives again what was freed")
{
    std::vector<bsl_page*> blocks;
    errno = 0;
    for (;;) {
        bsl_page* first = bsl_alloc_pages(BSL_GFP_KERNEL | BSL___GFP_DMA32, BSL_MAX_PAGE_ORDER);
        if (first == nullptr)
            break;
        REQUIRE(reinterpret_cast<std::uintptr_t>(bsl_page_address(first)) < std::uint64_t{1} << 32);
        blocks.push_back(first);
        REQUIRE(blocks.size() <= 1023);
    }
    CHECK(errno == ENOMEM);
    CHECK(blocks.size() > 300); // a sanitizer may have half of these addresses for itself
    CHECK(bsl_alloc_pages(BSL_GFP_KERNEL | BSL___GFP_DMA32, 0) == nullptr);
    void* ordinary = pages_of(0);
    CHECK(ordinary != nullptr);
    free_pages(ordinary, 0);

    void* freed = bsl_page_address(blocks.back());
    bsl_free_block(blocks.back(), BSL_MAX_PAGE_ORDER);
    blocks.pop_back();
    bsl_page* again = bsl_alloc_pages(BSL_GFP_KERNEL | BSL___GFP_DMA32, BSL_MAX_PAGE_ORDER);
    REQUIRE(again != nullptr);
    CHECK(bsl_page_address(again) == freed);
    blocks.push_back(again);
    for (bsl_page* first : blocks)
        bsl_free_block(first, BSL_MAX_PAGE_ORDER);
}
#endif

TEST_CASE("free memory below 4 GiB goes back to the system, too")
{
    const auto get = [] {
        bsl_page* first = bsl_alloc_pages(BSL_GFP_KERNEL | BSL___GFP_DMA32, 8);
        REQUIRE(first != nullptr);
        std::memset(bsl_page_address(first), 1, bsl::mib);
        return first;
    };
    bsl_page* first = get();
    void* start = bsl_page_address(first);
    CHECK(resident_pages(start, bsl::mib) == bsl::mib / page_bytes);
    bsl_free_block(first, 8);
    bsl_malloc_trim(0);
    CHECK(resident_pages(start, bsl::mib) == 0);
}

TEST_CASE("the child of a fork goes on with low addresses")
{
    bsl_page* first = bsl_alloc_pages(BSL_GFP_KERNEL | BSL___GFP_DMA32, 2);
    const child_result child = in_child([=] {
        bsl_free_block(first, 2);
        bsl_page* again = bsl_alloc_pages(BSL_GFP_KERNEL | BSL___GFP_DMA32, 10);
        if (again == nullptr)
            std::abort();
        bsl_free_block(again, 10);
        bsl_free_block(first, 2);
    });
    CHECK(child.aborted());
    CHECK(child.text.find("double free: the page is free already") != std::string::npos);
    bsl_free_block(first, 2);
}
