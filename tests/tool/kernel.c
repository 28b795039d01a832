/*
 * A heap with all that the kernel's interface gives: zones, page frames, the reserve, object caches.  Tells
 * on one line where things are, then waits until its standard input ends.
 */
#include <buddyslab/buddyslab.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum
{
    connections = 1000,
};

static void construct(void* object)
{
    memset(object, 0, 192);
}

static long place(const void* p)
{
    return (long)p;
}

int main(void)
{
    bsl_kmem_cache* conn = bsl_kmem_cache_create("conn", 192, 64, 0, construct);
    bsl_kmem_cache* request = bsl_kmem_cache_create("request", 720, 0, 0, NULL);
    bsl_kmem_cache* answer = bsl_kmem_cache_create("answer", 720, 0, 0, NULL);
    bsl_kmem_cache* spaces =
        bsl_kmem_cache_create("my \"own\" <cache>", 96, 0, BSL_SLAB_NO_MERGE, NULL);
    static void* kept[connections];
    for (int i = 0; i < connections; i++)
        kept[i] = bsl_kmem_cache_alloc(conn, BSL_GFP_KERNEL);
    void* freed = bsl_kmem_cache_alloc(request, BSL_GFP_KERNEL);
    void* answered = bsl_kmem_cache_alloc(answer, BSL_GFP_KERNEL);
    void* named = bsl_kmem_cache_alloc(spaces, BSL_GFP_KERNEL);
    bsl_kmem_cache_free(request, freed);

    struct bsl_page* frames = bsl_alloc_pages(BSL_GFP_KERNEL, 3);
    struct bsl_page* listed = bsl_alloc_pages(BSL_GFP_KERNEL, 1);
    struct bsl_page* low = bsl_alloc_pages(BSL_GFP_KERNEL | BSL___GFP_DMA32, 2);
    struct bsl_page* reserved = bsl_alloc_pages(BSL_GFP_ATOMIC, 0);
    bsl_cma* area = NULL;
    if (bsl_cma_declare_contiguous(0, 8 << 20, 0, 0, 0, 0, "area", &area) != 0)
        return 1;
    struct bsl_page* contiguous = bsl_cma_alloc(area, 300, 0, 0);
    if (!answered || !named || !frames || !listed || !low || !reserved || !contiguous)
        return 1;
    const void* reserve = bsl_page_address(reserved);
    bsl_free_block(listed, 1);
    bsl_free_pages_nolock(reserved, 0);
    printf("{\"conn\": %ld, \"freed\": %ld, \"answer\": %ld, \"named\": %ld, \"frames\": %ld, "
           "\"listed\": %ld, "
           "\"low\": %ld, \"reserve\": %ld, \"contiguous\": %ld}\n",
           place(kept[77]), place(freed), place(answered), place(named),
           place(bsl_page_address(frames)), place(bsl_page_address(listed)),
           place(bsl_page_address(low)), place(reserve), place(bsl_page_address(contiguous)));
    fflush(stdout);
    char end;
    while (read(STDIN_FILENO, &end, 1) > 0) {
    }
    printf("0\n");
    return 0;
}
