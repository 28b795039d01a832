/* Code as a kernel module has it: it compiles with the plain names, and does what it says. */
#include <buddyslab/linux/cma.h>
#include <buddyslab/linux/mm.h>
#include <buddyslab/linux/slab.h>
#include <string.h>

int use_kernel_names(void);

static int use_pages(void)
{
    struct page* page = alloc_pages(BSL_GFP_KERNEL, 2);
    unsigned long address;
    void* exact;

    if (!page)
        return 1;
    memset(page_address(page), 1, PAGE_SIZE << 2);
    if (virt_to_page(page_address(page)) != page || pfn_to_page(page_to_pfn(page)) != page)
        return 2;
    if (page_address(nth_page(page, 3)) != (char*)page_address(page) + 3 * PAGE_SIZE)
        return 3;
    __free_pages(page, 2);

    address = get_zeroed_page(BSL_GFP_KERNEL);
    if (!address || *(char*)address || address & ~PAGE_MASK)
        return 4;
    free_page(address);
    address = __get_free_pages(BSL_GFP_KERNEL, MAX_PAGE_ORDER);
    free_pages(address, MAX_PAGE_ORDER);

    exact = alloc_pages_exact(3 * PAGE_SIZE, BSL_GFP_KERNEL);
    free_pages_exact(exact, 3 * PAGE_SIZE);
    page = alloc_page(BSL_GFP_ATOMIC);
    if (page)
        free_pages_nolock(page, 0);
    return 0;
}

static int use_area(void)
{
    struct cma* cma;
    struct page* pages;

    if (cma_declare_contiguous(0, 4ul << 20, 0, 0, 0, 0, "module", &cma))
        return 5;
    pages = cma_alloc(cma, 7, 2, 0);
    if (!pages || page_address(pages) < cma_get_base(cma) || cma_get_size(cma) != 4ul << 20)
        return 6;
    if (!cma_release(cma, pages, 7) || strcmp(cma_get_name(cma), "module"))
        return 7;
    return 0;
}

static int use_sheaf(void)
{
    struct kmem_cache* cache = kmem_cache_create("names", 40, 0, SLAB_NO_MERGE, NULL);
    struct slab_sheaf* sheaf = cache ? kmem_cache_prefill_sheaf(cache, GFP_KERNEL, 3) : NULL;
    void* object;

    if (!sheaf)
        return 8;
    object = kmem_cache_alloc_from_sheaf(cache, GFP_KERNEL, sheaf);
    if (!object || kmem_cache_sheaf_size(sheaf) != 2)
        return 9;
    if (kmem_cache_refill_sheaf(cache, GFP_KERNEL, &sheaf, 3) || kmem_cache_sheaf_size(sheaf) != 3)
        return 10;
    kmem_cache_return_sheaf(cache, GFP_KERNEL, sheaf);
    kmem_cache_free(cache, object);
    kmem_cache_destroy(cache);
    return 0;
}

int use_kernel_names(void)
{
    int failed = use_pages();
    failed = failed ? failed : use_area();
    return failed ? failed : use_sheaf();
}
