/*
 * kmalloc for what is small, vmalloc for what is large, kvmalloc for what may be either.
 *
 * Output:
 *
 *     0 1 4 9 16 25 36 49
 *     libbuddyslab, twice
 *     100 bytes are no window, 100 MiB are one
 *     a window of 192 MiB, with what was in its first 64
 */
#include <buddyslab/kmalloc.h>
#include <buddyslab/vmalloc.h>
#include <stdio.h>

static int arrays(void)
{
    /* nr * size is checked: a product that does not fit is NULL. */
    int* squares = bsl_kcalloc(4, sizeof *squares, BSL_GFP_KERNEL);
    if (squares == NULL)
        return 1;
    int* more = bsl_krealloc(squares, 8 * sizeof *squares, BSL_GFP_KERNEL);
    if (more == NULL) {
        bsl_kfree(squares);
        return 1;
    }
    for (int i = 0; i < 8; i++)
        more[i] = i * i;
    for (int i = 0; i < 8; i++)
        printf("%d%c", more[i], i < 7 ? ' ' : '\n');
    bsl_kfree(more);
    return 0;
}

static int strings(void)
{
    char* name = bsl_kstrdup("libbuddyslab, twice", BSL_GFP_KERNEL);
    if (name == NULL)
        return 1;
    puts(name);
    bsl_kfree_sensitive(name); /* zeros first */
    return 0;
}

static int either(void)
{
    void* small = bsl_kvmalloc(100, BSL_GFP_KERNEL);
    void* large = bsl_kvmalloc((size_t)100 << 20, BSL_GFP_KERNEL);
    if (small != NULL && large != NULL && !bsl_is_vmalloc_addr(small) && bsl_is_vmalloc_addr(large))
        printf("100 bytes are no window, 100 MiB are one\n");
    bsl_kvfree(large);
    bsl_kvfree(small);
    return 0;
}

static int windows(void)
{
    /* Page tables are moved, not bytes; behind the last page is nothing: to write there is a SIGSEGV. */
    long* window = bsl_vzalloc((size_t)64 << 20);
    if (window == NULL)
        return 1;
    window[1000000] = 42;
    long* larger = bsl_vrealloc(window, (size_t)192 << 20);
    if (larger != NULL && larger[1000000] == 42)
        printf("a window of 192 MiB, with what was in its first 64\n");
    bsl_vfree(larger != NULL ? larger : window);
    return 0;
}

int main(void)
{
    return arrays() || strings() || either() || windows();
}
