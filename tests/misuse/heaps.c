/* Private heaps: every mistake is noticed by the very call, and the heap is named. */
#include "misuse.h"

#include <buddyslab/heap.h>
#include <buddyslab/kmem_cache.h>
#include <buddyslab/pages.h>

static bsl_heap* make(const char* name)
{
    bsl_heap* heap = bsl_heap_create(name, 0, 0);
    CHECK(heap != NULL, "a heap");
    return heap;
}

static void* get(bsl_heap* heap, size_t size)
{
    void* p = bsl_heap_alloc(heap, size);
    CHECK(p != NULL, "%zu bytes", size);
    return p;
}

static void double_free(void)
{
    bsl_heap* heap = make("requests");
    void* p = get(heap, 50);
    expect_bug("heap_free", p,
               "double free: object 0 of heap requests \\(64 bytes\\) is free already");
    bsl_heap_free(heap, p);
    bsl_heap_free(heap, p);
}

/* The heap keeps the slab for another object. */
static void double_free_among_others(void)
{
    bsl_heap* heap = make("requests");
    get(heap, 1000);
    void* p = get(heap, 1000);
    get(heap, 1000);
    expect_bug("heap_free", p,
               "double free: object 1 of heap requests \\(1024 bytes\\) is free already");
    bsl_heap_free(heap, p);
    bsl_heap_free(heap, p);
}

static void double_free_by_free(void)
{
    bsl_heap* heap = make("requests");
    void* p = get(heap, 20);
    expect_bug("free", p, "double free: object 0 of heap requests \\(32 bytes\\) is free already");
    bsl_heap_free(heap, p);
    free(p);
}

static void double_free_of_run(void)
{
    bsl_heap* heap = make("requests");
    void* p = get(heap, 100000);
    expect_bug("heap_free", p,
               "no object is here: the page is free \\(freed before, or never allocated\\)");
    bsl_heap_free(heap, p);
    bsl_heap_free(heap, p);
}

static void double_free_of_window(void)
{
    bsl_heap* heap = make("requests");
    void* p = get(heap, 5000000);
    expect_bug("heap_free", p, "double free: window %p \\([0-9]+ bytes\\) is free already", p);
    bsl_heap_free(heap, p);
    bsl_heap_free(heap, p);
}

static void wrong_heap(void)
{
    bsl_heap* apples = make("apples");
    bsl_heap* pears = make("pears");
    void* p = get(apples, 64);
    expect_bug("heap_free", p, "wrong heap: an object of heap apples, given back to heap pears");
    bsl_heap_free(pears, p);
}

static void wrong_heap_of_run(void)
{
    bsl_heap* apples = make("apples");
    bsl_heap* pears = make("pears");
    void* p = get(apples, 64000);
    expect_bug("heap_free", p, "wrong heap: an object of heap apples, given back to heap pears");
    bsl_heap_free(pears, p);
}

static void wrong_heap_of_window(void)
{
    bsl_heap* apples = make("apples");
    bsl_heap* pears = make("pears");
    void* p = get(apples, 6400000);
    expect_bug("heap_realloc", p, "wrong heap: an object of heap apples, given back to heap pears");
    p = bsl_heap_realloc(pears, p, 100);
}

static void object_of_malloc(void)
{
    bsl_heap* heap = make("pears");
    void* p = malloc(48);
    expect_bug("heap_free", p, "not from heap pears: 48 bytes of malloc, which free takes back");
    bsl_heap_free(heap, p);
}

static void object_of_cache(void)
{
    bsl_heap* heap = make("pears");
    bsl_kmem_cache* cache = bsl_kmem_cache_create("apples", 100, 0, BSL_SLAB_NO_MERGE, NULL);
    void* p = bsl_kmem_cache_alloc(cache, BSL_GFP_KERNEL);
    expect_bug("heap_usable_size", p, "not from heap pears: 112 bytes of cache apples");
    CHECK(bsl_heap_usable_size(heap, p) == 0, "a size");
}

static void object_given_to_cache(void)
{
    bsl_heap* heap = make("pears");
    bsl_kmem_cache* cache = bsl_kmem_cache_create("apples", 100, 0, BSL_SLAB_NO_MERGE, NULL);
    void* p = get(heap, 100);
    expect_bug("kmem_cache_free", p, "not an object of cache apples");
    bsl_kmem_cache_free(cache, p);
}

static void foreign_to_heap(void)
{
    static int local;
    bsl_heap* heap = make("pears");
    expect_bug("heap_free", &local, "not from this heap: .*");
    bsl_heap_free(heap, &local);
}

static void middle_of_object(void)
{
    bsl_heap* heap = make("pears");
    char* p = get(heap, 200);
    expect_bug("heap_free", p + 24,
               "not the start of an object: 24 bytes into object 0 of heap pears \\(224 bytes\\), "
               "which starts at %p",
               (void*)p);
    bsl_heap_free(heap, p + 24);
}

static void middle_of_object_by_free(void)
{
    bsl_heap* heap = make("pears");
    char* p = get(heap, 5120);
    p = get(heap, 5120);
    expect_bug("free", p + 4096,
               "not the start of an object: 4096 bytes into object 1 of heap pears "
               "\\(5120 bytes\\), which starts at %p",
               (void*)p);
    free(p + 4096);
}

static void middle_of_run(void)
{
    bsl_heap* heap = make("pears");
    char* p = get(heap, 70000);
    expect_bug("heap_free", p + 8192,
               "not the start of an object: 8192 bytes into an object of heap pears "
               "\\(73728 bytes\\), which starts at %p",
               (void*)p);
    bsl_heap_free(heap, p + 8192);
}

static void behind_the_objects(void)
{
    bsl_heap* heap = make("pears");
    char* p = get(heap, 896);
    expect_bug("heap_free", p + 4000,
               "not the start of an object: behind the objects of a slab of heap pears");
    bsl_heap_free(heap, p + 4000);
}

static void destroyed_heap(void)
{
    bsl_heap* heap = make("pears");
    bsl_heap_destroy(heap);
    expect_bug("heap_alloc", heap, "no heap: it was destroyed");
    CHECK(bsl_heap_alloc(heap, 10) == NULL, "nothing");
}

/* Another heap has its place now. */
static void destroyed_heap_of_old(void)
{
    bsl_heap* heap = make("pears");
    bsl_heap_destroy(heap);
    for (int i = 0; i < 100; ++i) {
        bsl_heap* next = make("apples");
        CHECK(next != heap, "another handle");
        if (i != 99)
            bsl_heap_destroy(next);
    }
    expect_bug("heap_destroy", heap, "no heap: it was destroyed");
    bsl_heap_destroy(heap);
}

static void object_of_destroyed_heap(void)
{
    bsl_heap* heap = make("pears");
    void* p = get(heap, 100000);
    bsl_heap_destroy(heap);
    expect_bug("free", p,
               "no object is here: the page is free \\(freed before, or never allocated\\)");
    free(p);
}

static void free_pages_of_heap(void)
{
    bsl_heap* heap = make("pears");
    void* p = get(heap, 100000);
    expect_bug("free_pages", p, "not from alloc_pages: the page belongs to a private heap");
    bsl_free_pages((unsigned long)p, 0);
}

const struct misuse_case misuse_cases[] = {
    {"double_free", double_free},
    {"double_free_among_others", double_free_among_others},
    {"double_free_by_free", double_free_by_free},
    {"double_free_of_run", double_free_of_run},
    {"double_free_of_window", double_free_of_window},
    {"wrong_heap", wrong_heap},
    {"wrong_heap_of_run", wrong_heap_of_run},
    {"wrong_heap_of_window", wrong_heap_of_window},
    {"object_of_malloc", object_of_malloc},
    {"object_of_cache", object_of_cache},
    {"object_given_to_cache", object_given_to_cache},
    {"foreign_to_heap", foreign_to_heap},
    {"middle_of_object", middle_of_object},
    {"middle_of_object_by_free", middle_of_object_by_free},
    {"middle_of_run", middle_of_run},
    {"behind_the_objects", behind_the_objects},
    {"destroyed_heap", destroyed_heap},
    {"destroyed_heap_of_old", destroyed_heap_of_old},
    {"object_of_destroyed_heap", object_of_destroyed_heap},
    {"free_pages_of_heap", free_pages_of_heap},
    {NULL, NULL},
};
