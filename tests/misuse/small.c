/*
 * Small objects (at most 32 KiB).  Without full checks, only the object freed last is known at
 * once; other mistakes are found when a thread's sheaf is sorted back into its slabs.
 */
#include "misuse.h"
#include <pthread.h>

enum
{
    size = 48,
    nr_others = 10
};

/*
 * "object N of cache kmalloc-48".  A slab begins in the first object's room of some page, so for
 * each distance in pages there is one N that this address can have: "object (0|85|170|...) of ...".
 */
static const char* object(void* p)
{
    enum
    {
        page = 4096,
        slab_pages = 256
    };
    static char text[slab_pages * 8];
    size_t bytes = malloc_usable_size(p);
    int length = snprintf(text, sizeof text, "object (");
    for (size_t i = 0; i < slab_pages; i++)
        length += snprintf(text + length, sizeof text - (size_t)length, "%s%zu", i ? "|" : "",
                           ((uintptr_t)p % page + i * page) / bytes);
    snprintf(text + length, sizeof text - (size_t)length, ") of cache %s", cache_of(p));
    return text;
}

static void expect_double_free(const char* entry, void* p)
{
    expect_bug(entry, p, "double free: %s at %p is free already", object(p), p);
}

static void free_others(void)
{
    void* others[nr_others];
    for (int i = 0; i < nr_others; i++)
        others[i] = malloc(size);
    for (int i = 0; i < nr_others; i++)
        free(others[i]);
}

/* Several sizes: to 1024 in steps of 16, and above. */
static void free_last_twice(size_t bytes)
{
    void* p = malloc(bytes);
    expect_double_free("free", p);
    free(p);
    free(p);
}

static void double_free_of_last(void)
{
    free_last_twice(size);
}

static void double_free_of_last_1000(void)
{
    free_last_twice(1000);
}

static void double_free_of_last_3000(void)
{
    free_last_twice(3000);
}

static void double_free_of_last_32k(void)
{
    free_last_twice(32 * KiB);
}

static void double_free_with_others_between(void)
{
    void* p = malloc(size);
    expect_double_free("free", p);
    free(p);
    free_others();
    free(p);
    let_late_checks_find_it();
}

/* The others have pushed the object out of the thread's hands, back into its slab. */
static void double_free_after_trim(void)
{
    void* kept = malloc(size);
    void* p = malloc(size);
    memset(kept, 1, size);
    expect_double_free("free", p);
    free(p);
    malloc_trim(0);
    free(p);
    let_late_checks_find_it();
}

static void interior_by(size_t bytes, size_t offset)
{
    char* p = malloc(bytes);
    expect_bug("free", p + offset,
               "not the start of an object: %zu bytes into %s, which starts at %p", offset,
               object(p), (void*)p);
    free(p + offset);
    let_late_checks_find_it();
}

static void interior_8(void)
{
    interior_by(size, 8);
}

static void interior_16(void)
{
    interior_by(500, 16);
}

static void interior_odd(void)
{
    interior_by(5000, 4097);
}

/* All objects of the page are freed and the page with them; other pages keep the arena alive. */
static void free_in_free_page(void)
{
    enum
    {
        count = 1024,
        bytes = 1000
    };
    static void* objects[count];
    void* kept = malloc(200 * KiB);
    memset(kept, 1, 200 * KiB);
    for (int i = 0; i < count; i++) {
        objects[i] = malloc(bytes);
        memset(objects[i], 1, bytes);
    }
    void* also_kept = malloc(300 * KiB);
    memset(also_kept, 1, 300 * KiB);
    for (int i = 0; i < count; i++)
        free(objects[i]);
    malloc_trim(0);
    void* p = objects[count / 2];
    expect_bug("free", p,
               "no object is here: the page is free \\(freed before, or never allocated\\)");
    free(p);
    let_late_checks_find_it();
}

static void realloc_of_freed(void)
{
    void* p = malloc(size);
    expect_double_free(checks_each_free() ? "realloc" : "realloc|free", p);
    free(p);
    CHECK(realloc(p, 5000), "NULL");
    let_late_checks_find_it();
}

static void realloc_of_interior(void)
{
    char* p = malloc(size);
    expect_bug(checks_each_free() ? "realloc" : "realloc|free", p + 8,
               "not the start of an object: 8 bytes into %s, which starts at %p", object(p),
               (void*)p);
    CHECK(realloc(p + 8, 5000), "NULL");
    let_late_checks_find_it();
}

static void* free_it(void* p)
{
    free(p);
    return NULL;
}

/* Freed by two threads: the one that ends first hands it back, the other is caught with it. */
static void double_free_in_threads(void)
{
    void* p = malloc(size);
    expect_double_free("free", p);
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, free_it, p) == 0, "pthread_create");
        pthread_join(thread, NULL);
    }
    let_late_checks_find_it();
}

const struct misuse_case misuse_cases[] = {
    {"double_free_of_last", double_free_of_last},
    {"double_free_of_last_1000", double_free_of_last_1000},
    {"double_free_of_last_3000", double_free_of_last_3000},
    {"double_free_of_last_32k", double_free_of_last_32k},
    {"double_free_with_others_between", double_free_with_others_between},
    {"double_free_after_trim", double_free_after_trim},
    {"double_free_in_threads", double_free_in_threads},
    {"interior_8", interior_8},
    {"interior_16", interior_16},
    {"interior_odd", interior_odd},
    {"free_in_free_page", free_in_free_page},
    {"realloc_of_freed", realloc_of_freed},
    {"realloc_of_interior", realloc_of_interior},
    {NULL, NULL},
};
