#include <buddyslab/malloc.h>
#include <buddyslab/pages.h>

#include "buddy/zone.hpp"
#include "heap/registry.hpp"
#include "unit/child.hpp"
#include "unit/memory.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace
{

constexpr std::size_t page_bytes = BSL_PAGE_SIZE;

bool is_filled(const void* start, std::size_t size, int value)
{
    const auto* bytes = static_cast<const unsigned char*>(start);
    for (std::size_t i = 0; i < size; ++i) {
        if (bytes[i] != value)
            return false;
    }
    return true;
}

void validate_zone()
{
    bsl::mutex_guard guard(bsl::zone_normal.lock);
    bsl::zone_normal.validate();
}

std::size_t pages_in_use()
{
    bsl_malloc_trim(0);
    const bsl::zone_counts& zone = bsl::zone_normal.counts();
    return zone.nr_online * bsl::pages_per_pageblock - zone.nr_free;
}

/// What the misuse must print, whole.
void check_message(const child_result& child, const std::string& wanted)
{
    CHECK(child.aborted());
    CHECK(child.text == "buddyslab: BUG " + wanted + "\n");
}

std::string text_of(const void* p)
{
    char text[32];
    std::snprintf(text, sizeof text, "%p", p);
    return text;
}

/// The compiler is not to say what is wrong with it: that is the library's part.
[[gnu::noipa]] void free_unseen(void* p)
{
    bsl_free(p);
}

void* pages_of(unsigned order)
{
    return reinterpret_cast<void*>(bsl_get_free_pages(BSL_GFP_KERNEL, order));
}

void free_pages(const void* p, unsigned order)
{
    bsl_free_pages(reinterpret_cast<unsigned long>(p), order);
}

} // namespace

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

/// Pages that the library itself may need for a thread: its heap and sheaves, on any shard.
constexpr std::size_t pages_for_a_thread = 8;

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

TEST_CASE("a page that is freed twice is named")
{
    for (unsigned order : {0u, 2u, 6u}) {
        void* p = pages_of(order);
        const child_result child = in_child([=] {
            free_pages(p, order);
            free_pages(p, order);
        });
        check_message(child,
                      "free_pages(" + text_of(p) + "): double free: the page is free already");
        const child_result with_others = in_child([=] {
            void* other = pages_of(order);
            free_pages(p, order);
            free_pages(other, order);
            free_pages(p, order);
        });
        check_message(with_others,
                      "free_pages(" + text_of(p) + "): double free: the page is free already");
        free_pages(p, order);
    }
}

TEST_CASE("a wrong order is named")
{
    void* p = pages_of(2);
    check_message(in_child([=] { free_pages(p, 0); }),
                  "free_pages(" + text_of(p) +
                      "): wrong order: a block of 4 pages, given back as 1 page");
    check_message(in_child([=] { free_pages(p, 3); }),
                  "free_pages(" + text_of(p) +
                      "): wrong order: a block of 4 pages, given back as 8 pages");
    check_message(in_child([=] { bsl_free_block(bsl_virt_to_page(p), 1); }),
                  "__free_pages(" + text_of(p) +
                      "): wrong order: a block of 4 pages, given back as 2 pages");
    check_message(in_child([=] { free_pages(p, 77); }),
                  "free_pages(" + text_of(p) +
                      "): wrong order: a block of 4 pages, given back as 2048 pages");
    free_pages(p, 2);
}

TEST_CASE("exact pages that are given back by another size, or order, are named")
{
    void* p = bsl_alloc_pages_exact(5 * page_bytes, BSL_GFP_KERNEL);
    check_message(in_child([=] { bsl_free_pages_exact(p, 6 * page_bytes); }),
                  "free_pages_exact(" + text_of(p) +
                      "): wrong order: a block of 5 pages, given back as 6 pages");
    check_message(in_child([=] { free_pages(p, 3); }),
                  "free_pages(" + text_of(p) +
                      "): wrong order: a block of 5 pages, given back as 8 pages");
    bsl_free_pages_exact(p, 5 * page_bytes);
}

TEST_CASE("the middle of a block is named")
{
    char* p = static_cast<char*>(pages_of(3));
    for (std::size_t offset : {std::size_t{16}, page_bytes, 5 * page_bytes + 8}) {
        const std::string text = "not the start of a block: " + std::to_string(offset) +
                                 " bytes into a block of 8 pages, which starts at " + text_of(p);
        check_message(in_child([=] { free_pages(p + offset, 0); }),
                      "free_pages(" + text_of(p + offset) + "): " + text);
    }
    free_pages(p, 3);
}

TEST_CASE("memory of malloc's is named by free_pages, and pages by free")
{
    void* small = bsl_malloc(100);
    const std::string in_object = "): not from alloc_pages: the address is in object ";
    const child_result child = in_child([=] { free_pages(small, 0); });
    CHECK(child.aborted());
    CHECK(child.text.find("BUG free_pages(" + text_of(small) + in_object) != std::string::npos);
    CHECK(child.text.find("of cache kmalloc-112\n") != std::string::npos);
    bsl_free(small);

    void* window = bsl_malloc(8 * bsl::mib);
    check_message(
        in_child([=] { free_pages(window, 0); }),
        "free_pages(" + text_of(window) +
            "): not from alloc_pages: the address is in a window, which free() takes back");
    bsl_free(window);

    static char foreign[page_bytes];
    check_message(in_child([] { free_pages(foreign, 0); }),
                  "free_pages(" + text_of(foreign) +
                      "): not from alloc_pages: no page of this heap has this address");

    char* p = static_cast<char*>(pages_of(1));
    check_message(in_child([=] { bsl_free(p); }),
                  "free(" + text_of(p) +
                      "): memory of alloc_pages, which free_pages takes back: 0 bytes into a block "
                      "of 2 pages");
    check_message(in_child([=] { free_unseen(p + page_bytes); }),
                  "free(" + text_of(p + page_bytes) +
                      "): memory of alloc_pages, which free_pages takes back: 4096 bytes into a "
                      "block of 2 pages");
    free_pages(p, 1);
}

TEST_CASE("nothing happens when nothing is freed")
{
    bsl_free_block(nullptr, 3);
    bsl_free_pages(0, 3);
    bsl_free_page(0);
    bsl_free_pages_exact(nullptr, 100);
    CHECK(bsl_virt_to_page(nullptr) == nullptr);
}

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
