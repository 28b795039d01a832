#include "unit/api/pages.hpp"

TEST_CASE("a block of each order is aligned to its size, and all of it can be used")
{
    for (unsigned order = 0; order <= BSL_MAX_PAGE_ORDER; ++order) {
        CAPTURE(order);
        const std::size_t size = page_bytes << order;
        bsl_page* first = bsl_alloc_pages(BSL_GFP_KERNEL, order);
        REQUIRE(first != nullptr);
        char* start = static_cast<char*>(bsl_page_address(first));
        CHECK(reinterpret_cast<std::uintptr_t>(start) % size == 0);
        std::memset(start, 0x5a, size);
        CHECK(bsl_virt_to_page(start) == first);
        CHECK(bsl_page_to_pfn(first) == reinterpret_cast<std::uintptr_t>(start) / page_bytes);
        CHECK(bsl_pfn_to_page(bsl_page_to_pfn(first)) == first);
        bsl_free_block(first, order);
    }
    validate_zone();
}

TEST_CASE("the struct pages of a block follow each other")
{
    bsl_page* first = bsl_alloc_pages(BSL_GFP_KERNEL, 5);
    REQUIRE(first != nullptr);
    char* start = static_cast<char*>(bsl_page_address(first));
    for (std::size_t i = 0; i < 32; ++i) {
        CHECK(bsl_page_address(first + i) == start + i * page_bytes);
        CHECK(bsl_virt_to_page(start + i * page_bytes + 123) == first + i);
    }
    bsl_free_block(first, 5);
}

TEST_CASE("an order above the largest, and flags nobody knows, are refused")
{
    for (unsigned order : {11u, 12u, 64u, ~0u}) {
        errno = 0;
        CHECK(bsl_alloc_pages(BSL_GFP_KERNEL, order) == nullptr);
        CHECK(errno == EINVAL);
        errno = 0;
        CHECK(bsl_get_free_pages(BSL_GFP_KERNEL, order) == 0);
        CHECK(errno == EINVAL);
    }
    errno = 0;
    CHECK(bsl_alloc_page(bsl_gfp_t{1} << 31) == nullptr);
    CHECK(errno == EINVAL);
    for (std::size_t size : {std::size_t{0}, 4 * bsl::mib + 1, SIZE_MAX}) {
        errno = 0;
        CHECK(bsl_alloc_pages_exact(size, BSL_GFP_KERNEL) == nullptr);
        CHECK(errno == EINVAL);
    }
}

TEST_CASE("zeroed pages are zeros, also where they were used before")
{
    for (unsigned order : {0u, 3u, 4u, 10u}) {
        void* used = pages_of(order);
        std::memset(used, 0xff, page_bytes << order);
        free_pages(used, order);
        const unsigned long again = bsl_get_free_pages(BSL_GFP_KERNEL | BSL___GFP_ZERO, order);
        CHECK(is_filled(reinterpret_cast<void*>(again), page_bytes << order, 0));
        bsl_free_pages(again, order);
    }
    void* used = pages_of(0);
    std::memset(used, 0xff, page_bytes);
    free_pages(used, 0);
    const unsigned long again = bsl_get_zeroed_page(BSL_GFP_KERNEL);
    CHECK(is_filled(reinterpret_cast<void*>(again), page_bytes, 0));
    bsl_free_page(again);
}

TEST_CASE("exact pages are as many as asked for; the rest of the block is free")
{
    free_pages(pages_of(0), 0); // makes what the library keeps for itself
    const std::size_t before = pages_in_use();
    for (std::size_t pages : {1u, 3u, 5u, 16u, 100u, 1000u, 1024u}) {
        void* p = bsl_alloc_pages_exact(pages * page_bytes - 5, BSL_GFP_KERNEL);
        REQUIRE(p != nullptr);
        std::memset(p, 1, pages * page_bytes);
        CHECK(pages_in_use() == before + pages);
        bsl_free_pages_exact(p, pages * page_bytes);
        CHECK(pages_in_use() == before);
    }
    validate_zone();
}

TEST_CASE("blocks that are in use at once do not overlap, and all of them come back")
{
    struct block
    {
        unsigned char* start;
        unsigned order;
        unsigned char fill;
    };
    free_pages(pages_of(0), 0); // makes what the library keeps for itself
    const std::size_t before = pages_in_use();
    std::vector<block> blocks;
    std::mt19937 random(7);
    for (unsigned i = 0; i < 20000; ++i) {
        if (blocks.size() < 200 && random() % 2 == 0) {
            const unsigned order = random() % 5;
            block b{static_cast<unsigned char*>(pages_of(order)), order,
                    static_cast<unsigned char>(i)};
            REQUIRE(b.start != nullptr);
            b.start[0] = b.start[(page_bytes << order) - 1] = b.fill;
            blocks.push_back(b);
        } else if (!blocks.empty()) {
            std::swap(blocks[random() % blocks.size()], blocks.back());
            const block b = blocks.back();
            blocks.pop_back();
            REQUIRE(b.start[0] == b.fill);
            REQUIRE(b.start[(page_bytes << b.order) - 1] == b.fill);
            free_pages(b.start, b.order);
        }
    }
    for (const block& b : blocks)
        free_pages(b.start, b.order);
    CHECK(pages_in_use() == before);
    validate_zone();
}

TEST_CASE("a page freed by another thread, and by a thread that ends, is free")
{
    free_pages(pages_of(0), 0); // makes what the library keeps for itself
    const std::size_t before = pages_in_use();
    std::vector<void*> got(100);
    std::thread([&] {
        for (void*& p : got)
            p = pages_of(1);
        std::vector<void*> own(4); // these stay in the thread's bin until it ends
        for (void*& p : own)
            p = pages_of(2);
        for (void* p : own)
            free_pages(p, 2);
    }).join();
    for (void* p : got)
        free_pages(p, 1);
    CHECK(pages_in_use() <= before + pages_for_a_thread);
}

TEST_CASE("what an idle thread keeps of pages is taken away from it by malloc_trim")
{
    free_pages(pages_of(0), 0); // makes what the library keeps for itself
    const std::size_t before = pages_in_use();
    std::atomic<int> step{0};
    std::thread idle([&] {
        for (unsigned order = 0; order < 3; ++order) {
            std::vector<void*> got(bsl::frame_bin_capacity);
            for (void*& p : got)
                p = pages_of(order);
            for (void* p : got)
                free_pages(p, order);
        }
        step = 1;
        step.notify_all();
        step.wait(1);
    });
    step.wait(0);
    // Of each order one block, at the top of its bin, cannot be taken, and perhaps the one below.
    CHECK(pages_in_use() <= before + pages_for_a_thread + 2 * (1 + 2 + 4));
    step = 2;
    step.notify_all();
    idle.join();
    CHECK(pages_in_use() <= before + pages_for_a_thread);
}

TEST_CASE("threads that hand each other pages")
{
    std::atomic<void*> slots[16] = {};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 4; ++t) {
        threads.emplace_back([&slots, t] {
            std::mt19937 random(t);
            for (unsigned i = 0; i < 5000; ++i) {
                const unsigned n = random() % 16;
                auto* p = static_cast<unsigned char*>(pages_of(n % 4));
                p[0] = static_cast<unsigned char>(n);
                void* other = slots[n].exchange(p);
                if (other == nullptr)
                    continue;
                if (*static_cast<unsigned char*>(other) != n)
                    std::abort();
                free_pages(other, n % 4);
                if (i % 1000 == 0)
                    bsl_malloc_trim(0);
            }
        });
    }
    for (std::thread& t : threads)
        t.join();
    for (unsigned n = 0; n < 16; ++n)
        free_pages(slots[n].load(), n % 4);
    validate_zone();
}

TEST_CASE("the child of a fork has the pages, and frees them")
{
    void* p = pages_of(3);
    std::memset(p, 0x17, 8 * page_bytes);
    const child_result child = in_child([p] {
        if (!is_filled(p, 8 * page_bytes, 0x17))
            std::abort();
        free_pages(p, 3);
        for (unsigned order = 0; order <= BSL_MAX_PAGE_ORDER; ++order)
            free_pages(pages_of(order), order);
        validate_zone();
    });
    CHECK(child.succeeded());
    CHECK(child.text.empty());
    CHECK(is_filled(p, 8 * page_bytes, 0x17));
    free_pages(p, 3);
}
