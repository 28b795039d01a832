/*
 * Large objects (whole pages, to 4 MiB) and huge ones (windows of vmalloc): every mistake is known
 * at once, by the call that makes it.
 */
#include "misuse.h"

enum
{
    large = 100 * KiB,
    huge = 8 * MiB
};

/* The object may wait in a sheaf, or its pages may be free already. */
static void expect_freed_large(const char* entry, void* p)
{
    expect_bug(entry, p,
               "(double free: object [0-9]+ of cache %s at %p is free already"
               "|no object is here: the page is free \\(freed before, or never allocated\\))",
               cache_of(p), p);
}

static void* make(size_t size)
{
    char* p = malloc(size);
    memset(p, 1, size);
    return p;
}

static void double_free_large(void)
{
    void* p = make(large);
    expect_freed_large("free", p);
    free(p);
    free(p);
}

static void double_free_large_with_others_between(void)
{
    void* others[20];
    void* p = make(large);
    for (int i = 0; i < 20; i++)
        others[i] = make(large);
    expect_freed_large("free", p);
    free(p);
    for (int i = 0; i < 20; i += 2)
        free(others[i]);
    free(p);
}

static void double_free_large_after_trim(void)
{
    void* kept = make(large);
    void* p = make(large);
    void* also_kept = make(large);
    expect_freed_large("free", p);
    free(p);
    malloc_trim(0);
    free(p);
    free(kept);
    free(also_kept);
}

static void interior_of_large_by(size_t size, size_t offset)
{
    char* p = make(size);
    expect_bug(
        "free", p + offset,
        "not the start of an object: %zu bytes into object [0-9]+ of cache %s, which starts at %p",
        offset, cache_of(p), (void*)p);
    free(p + offset);
}

static void interior_large_16(void)
{
    interior_of_large_by(large, 16);
}

static void interior_large_page(void)
{
    interior_of_large_by(large, 5 * 4096);
}

static void interior_3m(void)
{
    interior_of_large_by(3 * MiB, 2 * MiB);
}

static void realloc_of_freed_large(void)
{
    void* p = make(large);
    expect_freed_large("realloc", p);
    free(p);
    CHECK(realloc(p, 2 * large), "NULL");
}

/* While the window is cached it is known; later its addresses are nobody's. */
static void expect_freed_huge(const char* entry, void* p)
{
    expect_bug(entry, p,
               "(double free: window %p \\(%zu bytes\\) is free already"
               "|not from this heap: no arena and no window holds this address \\(.*\\))",
               p, malloc_usable_size(p));
}

static void double_free_huge(void)
{
    void* p = make(huge);
    expect_freed_huge("free", p);
    free(p);
    free(p);
}

static void double_free_huge_after_trim(void)
{
    void* p = make(huge);
    expect_freed_huge("free", p);
    free(p);
    malloc_trim(0);
    free(p);
}

static void realloc_of_freed_huge(void)
{
    void* p = make(huge);
    expect_freed_huge("realloc", p);
    free(p);
    CHECK(realloc(p, 2 * huge), "NULL");
}

static void interior_of_huge_by(size_t offset)
{
    char* p = make(huge);
    expect_bug("free", p + offset,
               "not the start of an object: %zu bytes into window %p \\(%zu bytes\\)", offset,
               (void*)p, malloc_usable_size(p));
    free(p + offset);
}

static void interior_huge_16(void)
{
    interior_of_huge_by(16);
}

static void interior_huge_page(void)
{
    interior_of_huge_by(5 * MiB);
}

const struct misuse_case misuse_cases[] = {
    {"double_free_large", double_free_large},
    {"double_free_large_with_others_between", double_free_large_with_others_between},
    {"double_free_large_after_trim", double_free_large_after_trim},
    {"interior_large_16", interior_large_16},
    {"interior_large_page", interior_large_page},
    {"interior_3m", interior_3m},
    {"realloc_of_freed_large", realloc_of_freed_large},
    {"double_free_huge", double_free_huge},
    {"double_free_huge_after_trim", double_free_huge_after_trim},
    {"interior_huge_16", interior_huge_16},
    {"interior_huge_page", interior_huge_page},
    {"realloc_of_freed_huge", realloc_of_freed_huge},
    {NULL, NULL},
};
