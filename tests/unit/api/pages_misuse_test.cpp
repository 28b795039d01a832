#include "unit/api/pages.hpp"

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
