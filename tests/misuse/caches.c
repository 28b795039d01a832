/* The program's object caches, kmalloc and vmalloc: every mistake is noticed by the very call. */
#include "misuse.h"

#include <buddyslab/kmalloc.h>
#include <buddyslab/kmem_cache.h>
#include <buddyslab/vmalloc.h>

static bsl_kmem_cache* make(const char* name, size_t size)
{
    bsl_kmem_cache* cache = bsl_kmem_cache_create(name, size, 0, BSL_SLAB_NO_MERGE, NULL);
    CHECK(cache != NULL, "a cache");
    return cache;
}

static void wrong_cache(void)
{
    bsl_kmem_cache* apples = make("apples_with_a_long_name", 64);
    bsl_kmem_cache* pears = make("pears", 64);
    void* p = bsl_kmem_cache_alloc(apples, BSL_GFP_KERNEL);
    expect_bug(
        "kmem_cache_free", p,
        "wrong cache: object [0-9]+ of cache apples_with_a_long_name, given back to cache pears");
    bsl_kmem_cache_free(pears, p);
}

static void object_of_malloc(void)
{
    bsl_kmem_cache* pears = make("pears", 48);
    void* p = malloc(48);
    expect_bug("kmem_cache_free", p,
               "wrong cache: object [0-9]+ of cache kmalloc-48, given back to cache pears");
    bsl_kmem_cache_free(pears, p);
}

static void foreign_to_cache(void)
{
    static int local;
    bsl_kmem_cache* pears = make("pears", 48);
    expect_bug("kmem_cache_free", &local, "not from this heap: .*");
    bsl_kmem_cache_free(pears, &local);
}

static void double_free_of_last(void)
{
    bsl_kmem_cache* pears = make("pears", 48);
    void* p = bsl_kmem_cache_alloc(pears, BSL_GFP_KERNEL);
    expect_bug("kmem_cache_free", p,
               "double free: object [0-9]+ of cache pears at %p is free already", p);
    bsl_kmem_cache_free(pears, p);
    bsl_kmem_cache_free(pears, p);
}

static void double_free_of_another(void)
{
    bsl_kmem_cache* pears = make("pears", 48);
    void* p = bsl_kmem_cache_alloc(pears, BSL_GFP_KERNEL);
    void* q = bsl_kmem_cache_alloc(pears, BSL_GFP_KERNEL);
    bsl_kmem_cache_free(pears, p);
    bsl_kmem_cache_free(pears, q);
    expect_bug(checks_each_free() ? "kmem_cache_free" : "free",
               p, /* free: when a sheaf is flushed */
               "double free: object [0-9]+ of cache pears at %p is free already", p);
    bsl_kmem_cache_free(pears, p);
    CHECK(!checks_each_free(), "the very call did not notice");
    bsl_kmem_cache_destroy(pears); /* the sheaf is flushed */
}

static void kfree_of_window(void)
{
    void* p = bsl_vmalloc(10000);
    expect_bug("kfree", p, "memory of vmalloc, which vfree takes back: 0 bytes into window %p", p);
    bsl_kfree(p);
}

static void vfree_of_object(void)
{
    void* p = bsl_kmalloc(1000, BSL_GFP_KERNEL);
    expect_bug("vfree", p, "not from vmalloc: [0-9]+ bytes of kmalloc, which kfree takes back");
    bsl_vfree(p);
}

static void vfree_of_interior(void)
{
    char* p = bsl_vmalloc(10000);
    expect_bug("vfree", p + 4096, "not the start of an object: 4096 bytes into window %p .*",
               (void*)p);
    bsl_vfree(p + 4096);
}

const struct misuse_case misuse_cases[] = {
    {"wrong_cache", wrong_cache},
    {"object_of_malloc", object_of_malloc},
    {"foreign_to_cache", foreign_to_cache},
    {"double_free_of_last", double_free_of_last},
    {"double_free_of_another", double_free_of_another},
    {"kfree_of_window", kfree_of_window},
    {"vfree_of_object", vfree_of_object},
    {"vfree_of_interior", vfree_of_interior},
    {NULL, NULL},
};
