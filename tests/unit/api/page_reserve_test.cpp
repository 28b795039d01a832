#include "unit/api/pages.hpp"

namespace
{

std::atomic<bool> stop_signals{false};
std::atomic<unsigned> served_in_handler{0};
bsl_page* kept_by_handler = nullptr;

/// As a handler may: gets a page, writes to it, and gives back the one it had before.
void use_pages_in_handler(int)
{
    const int saved = errno;
    bsl_page* first = bsl_alloc_page(BSL_GFP_ATOMIC);
    if (first != nullptr) {
        std::memset(bsl_page_address(first), 0x3c, page_bytes);
        bsl_free_pages_nolock(kept_by_handler, 0);
        kept_by_handler = first;
        ++served_in_handler;
    }
    errno = saved;
}

} // namespace

TEST_CASE("pages for those who can bear nothing come from a reserve, and it is bounded")
{
    free_pages(pages_of(0), 0);
    std::vector<bsl_page*> got;
    for (;;) {
        errno = 0;
        bsl_page* first = bsl_alloc_page(BSL_GFP_ATOMIC);
        if (first == nullptr)
            break;
        CHECK(resident_pages(bsl_page_address(first), page_bytes) == 1);
        got.push_back(first);
        REQUIRE(got.size() < 1000);
    }
    CHECK(errno == ENOMEM);
    CHECK(got.size() == 16);
    CHECK(bsl_alloc_pages(BSL_GFP_NOWAIT, 4) == nullptr);
    CHECK(bsl_alloc_pages(BSL_GFP_NOWAIT | BSL___GFP_DMA32, 0) == nullptr);
    bsl_page* order_2 = bsl_alloc_pages(BSL_GFP_NOWAIT | BSL___GFP_ZERO, 2);
    REQUIRE(order_2 != nullptr);
    CHECK(is_filled(bsl_page_address(order_2), 4 * page_bytes, 0));
    bsl_free_pages_nolock(order_2, 2);
    for (bsl_page* first : got)
        bsl_free_block(first, 0); // elsewhere than into the reserve
    free_pages(pages_of(4), 4);   // fills it up again
    bsl_page* again = bsl_alloc_page(BSL_GFP_NOWAIT);
    CHECK(again != nullptr);
    bsl_free_pages_nolock(again, 0);
    validate_zone();
}

TEST_CASE("blocks given back without a lock are free again")
{
    free_pages(pages_of(0), 0);
    const std::size_t before = pages_in_use();
    std::vector<void*> blocks(100);
    for (void*& p : blocks)
        p = pages_of(1);
    for (void* p : blocks)
        bsl_free_pages_nolock(bsl_virt_to_page(p), 1);
    free_pages(pages_of(4), 4);
    CHECK(pages_in_use() == before);
    void* p = pages_of(0);
    check_message(in_child([=] {
                      bsl_free_pages_nolock(bsl_virt_to_page(p), 0);
                      bsl_free_pages_nolock(bsl_virt_to_page(p), 0);
                  }),
                  "free_pages_nolock(" + text_of(p) + "): double free: the page is free already");
    free_pages(p, 0);
}

TEST_CASE("a signal handler gets and gives pages while its thread does the same")
{
    free_pages(pages_of(0), 0);
    const std::size_t before = pages_in_use();
    served_in_handler = 0;
    std::signal(SIGUSR1, use_pages_in_handler);
    std::thread busy([&] {
        while (!stop_signals) {
            void* kept[30];
            for (unsigned i = 0; i < 30; ++i) {
                kept[i] = pages_of(i % 3);
                std::memset(kept[i], 0x11, page_bytes);
            }
            for (unsigned i = 0; i < 30; ++i) {
                if (!is_filled(kept[i], page_bytes, 0x11))
                    std::abort();
                free_pages(kept[i], i % 3);
            }
        }
    });
    for (unsigned i = 0; i < 500 || served_in_handler < 100; ++i) {
        pthread_kill(busy.native_handle(), SIGUSR1);
        std::this_thread::yield();
    }
    std::signal(SIGUSR1, SIG_IGN);
    stop_signals = true;
    busy.join();
    bsl_free_pages_nolock(kept_by_handler, 0);
    kept_by_handler = nullptr;
    free_pages(pages_of(4), 4);
    CHECK(pages_in_use() <= before + pages_for_a_thread);
    validate_zone();
}
