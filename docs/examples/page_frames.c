/*
 * Page frames: blocks of pages, aligned to their size, and as many pages as are needed, no more.
 *
 * Output:
 *
 *     8 pages, aligned to 32 KiB
 *     the fourth of them is the page of its address
 *     5 pages for 20000 bytes
 *     a page of zeros below 4 GiB
 */
#include <buddyslab/pages.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    /* A block of 2^3 pages.  What the library knows of its pages is an array, as they are. */
    const unsigned order = 3;
    struct bsl_page* block = bsl_alloc_pages(BSL_GFP_KERNEL, order);
    if (block == NULL)
        return 1;
    char* start = bsl_page_address(block);
    memset(start, 1, BSL_PAGE_SIZE << order);
    if ((size_t)start % (BSL_PAGE_SIZE << order) == 0)
        printf("%d pages, aligned to 32 KiB\n", 1 << order);
    if (bsl_virt_to_page(start + 3 * BSL_PAGE_SIZE + 100) == block + 3)
        printf("the fourth of them is the page of its address\n");
    bsl_free_block(block, order);

    /* Not a power of two: a block of 8 would waste 3. */
    void* exact = bsl_alloc_pages_exact(20000, BSL_GFP_KERNEL);
    if (exact == NULL)
        return 1;
    memset(exact, 2, 5 * BSL_PAGE_SIZE);
    printf("5 pages for 20000 bytes\n");
    bsl_free_pages_exact(exact, 20000);

    /* By address, as a number.  What GFP_DMA32 gives fits into 32 bits; it is 0 if there is no such page. */
    unsigned long low = bsl_get_zeroed_page(BSL_GFP_KERNEL | BSL_GFP_DMA32);
    if (low == 0 || low >> 32 != 0 || *(int*)low != 0)
        return 1;
    printf("a page of zeros below 4 GiB\n");
    bsl_free_page(low);
    return 0;
}
