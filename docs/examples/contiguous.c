/*
 * A contiguous area: memory in one piece that is there when it is called for, and works until then.
 *
 * A camera's frames must lie in one piece, and must not fail.  While the camera is off, the area's page
 * frames serve large blocks of malloc's; when it is switched on they come home, and the large block keeps
 * its address and its contents.
 *
 * Output:
 *
 *     an area of 16 MiB
 *     a block of 40 MiB while the area is idle
 *     16 MiB in one piece
 *     the block is what it was
 */
#include <buddyslab/cma.h>
#include <buddyslab/malloc.h>
#include <stdio.h>
#include <string.h>

enum
{
    mib = 1 << 20
};

/* Is each page of the block what fill() wrote? */
static int is_filled(const unsigned* block, size_t size)
{
    for (size_t i = 0; i < size / sizeof *block; i += 1024)
        if (block[i] != i)
            return 0;
    return 1;
}

static void fill(unsigned* block, size_t size)
{
    for (size_t i = 0; i < size / sizeof *block; i += 1024)
        block[i] = (unsigned)i;
}

int main(void)
{
    bsl_cma* camera;
    if (bsl_cma_declare_contiguous(0, 16 * mib, 0, 0, 0, 0, "camera", &camera) != 0)
        return 1;
    printf("an area of %zu MiB\n", bsl_cma_get_size(camera) / mib);

    /* Part of it is made of the area's frames. */
    unsigned* block = bsl_malloc(40 * mib);
    if (block == NULL)
        return 1;
    fill(block, 40 * mib);
    printf("a block of 40 MiB while the area is idle\n");

    /* The camera is switched on. */
    struct bsl_page* frames = bsl_cma_alloc(camera, 16 * mib / BSL_PAGE_SIZE, 0, 0);
    if (frames == NULL)
        return 1;
    memset(bsl_page_address(frames), 0, 16 * mib);
    printf("16 MiB in one piece\n");
    if (is_filled(block, 40 * mib))
        printf("the block is what it was\n");

    /* And off again: pages may be given back in any portions. */
    bsl_cma_release(camera, frames, 1024);
    bsl_cma_release(camera, frames + 1024, 3072);
    bsl_free(block);
    return 0;
}
