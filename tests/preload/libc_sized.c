/* free_sized and free_aligned_sized of C23, and cfree, which old programs still name. */
#include "check.h"

static void* symbol(const char* name)
{
    void* address = dlsym(RTLD_DEFAULT, name);
    if (!is_library_under_test())
        return address;
    Dl_info where = {0};
    CHECK(address && dladdr(address, &where), "there is no %s", name);
    CHECK(strstr(where.dli_fname, "libbuddyslab"), "%s comes from %s", name, where.dli_fname);
    return address;
}

/* An object of each size, freed by the call given; the next round finds the memory again. */
static void many_rounds(void (*release)(void*, size_t))
{
    long before = rss_kib();
    for (int round = 0; round < 30; round++)
        for (size_t size = 0; size < 10 * MiB; size += size / 5 + 7) {
            char* p = malloc(size);
            CHECK(p, "malloc(%zu)", size);
            memset(p, 1, size < 64 * KiB ? size : 64 * KiB);
            release(p, size);
        }
    CHECK(rss_kib() - before < 24 * KiB, "freed objects leak: %ld KiB", rss_kib() - before);
}

static void (*free_sized_of_library)(void*, size_t);
static void (*free_aligned_sized_of_library)(void*, size_t, size_t);
static void (*cfree_of_library)(void*);

static void by_free_sized(void* p, size_t size)
{
    free_sized_of_library(p, size);
}

/* A block that realloc() left in a larger class than its size says is still freed by its size. */
static void by_free_sized_after_realloc(void* p, size_t size)
{
    void* q = realloc(p, size / 2 + 1);
    CHECK(q, "realloc to %zu", size / 2 + 1);
    free_sized_of_library(q, size / 2 + 1);
}

static void by_cfree(void* p, size_t size)
{
    (void)size;
    cfree_of_library(p);
}

static void aligned_objects(void)
{
    for (size_t alignment = 16; alignment <= 1 * MiB; alignment *= 2)
        for (size_t size = alignment; size <= alignment * 4; size += alignment) {
            char* p = aligned_alloc(alignment, size);
            CHECK(p, "aligned_alloc(%zu, %zu)", alignment, size);
            p[0] = p[size - 1] = 1;
            free_aligned_sized_of_library(p, alignment, size);
        }
}

int main(void)
{
    require_library();
    *(void**)&free_sized_of_library = symbol("free_sized");
    *(void**)&free_aligned_sized_of_library = symbol("free_aligned_sized");
    *(void**)&cfree_of_library = symbol("cfree");
    if (free_sized_of_library) {
        free_sized_of_library(NULL, 0);
        many_rounds(by_free_sized);
        many_rounds(by_free_sized_after_realloc);
    }
    if (free_aligned_sized_of_library) {
        free_aligned_sized_of_library(NULL, 16, 0);
        aligned_objects();
    }
    if (cfree_of_library)
        many_rounds(by_cfree);
    return 0;
}
