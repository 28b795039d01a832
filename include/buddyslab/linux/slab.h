/* The kernel's plain names of object caches and kmalloc; see <buddyslab/kmem_cache.h>, kmalloc.h. */
#ifndef BUDDYSLAB_LINUX_SLAB_H
#define BUDDYSLAB_LINUX_SLAB_H

#include <buddyslab/kmalloc.h>
#include <buddyslab/kmem_cache.h>
#include <buddyslab/linux/gfp.h>
#include <buddyslab/linux/vmalloc.h>

#define kmem_cache bsl_kmem_cache
#define slab_sheaf bsl_sheaf

#define SLAB_HWCACHE_ALIGN BSL_SLAB_HWCACHE_ALIGN
#define SLAB_PANIC BSL_SLAB_PANIC
#define SLAB_TYPESAFE_BY_RCU BSL_SLAB_TYPESAFE_BY_RCU
#define SLAB_ACCOUNT BSL_SLAB_ACCOUNT
#define SLAB_NO_MERGE BSL_SLAB_NO_MERGE
/* Hints to the kernel's page allocator and copy checks; there is nothing here that they would change. */
#define SLAB_RECLAIM_ACCOUNT 0u
#define SLAB_MEM_SPREAD 0u

#define ZERO_SIZE_PTR BSL_ZERO_SIZE_PTR
#define ZERO_OR_NULL_PTR(p) ((unsigned long)(p) <= (unsigned long)ZERO_SIZE_PTR)
#define KMALLOC_MAX_SIZE BSL_KMALLOC_MAX_SIZE

#define kmem_cache_create(name, size, align, flags, ctor)                                          \
    bsl_kmem_cache_create(name, size, align, flags, ctor)
#define kmem_cache_create_usercopy(name, size, align, flags, offset, bytes, ctor)                  \
    ((void)(offset), (void)(bytes), bsl_kmem_cache_create(name, size, align, flags, ctor))
#define KMEM_CACHE(type, flags)                                                                    \
    bsl_kmem_cache_create(#type, sizeof(struct type), __alignof__(struct type), flags, NULL)
#define kmem_cache_destroy(cache) ((void)bsl_kmem_cache_destroy(cache))
#define kmem_cache_alloc(cache, gfp) bsl_kmem_cache_alloc(cache, gfp)
#define kmem_cache_zalloc(cache, gfp) bsl_kmem_cache_zalloc(cache, gfp)
#define kmem_cache_free(cache, object) bsl_kmem_cache_free(cache, object)
#define kmem_cache_alloc_bulk(cache, gfp, nr, objects)                                             \
    ((int)bsl_kmem_cache_alloc_bulk(cache, gfp, nr, objects))
#define kmem_cache_free_bulk(cache, nr, objects) bsl_kmem_cache_free_bulk(cache, nr, objects)
#define kmem_cache_shrink(cache) bsl_kmem_cache_shrink(cache)
#define kmem_cache_size(cache) ((unsigned)bsl_kmem_cache_size(cache))
#define kmem_cache_prefill_sheaf(cache, gfp, nr) bsl_kmem_cache_prefill_sheaf(cache, gfp, nr)
/* The kernel may make it another sheaf, hence the pointer to the pointer. */
#define kmem_cache_refill_sheaf(cache, gfp, sheaf, nr)                                             \
    bsl_kmem_cache_refill_sheaf(cache, gfp, *(sheaf), nr)
#define kmem_cache_alloc_from_sheaf(cache, gfp, sheaf)                                             \
    bsl_kmem_cache_alloc_from_sheaf(cache, gfp, sheaf)
#define kmem_cache_return_sheaf(cache, gfp, sheaf) bsl_kmem_cache_return_sheaf(cache, gfp, sheaf)
#define kmem_cache_sheaf_size(sheaf) ((unsigned)bsl_kmem_cache_sheaf_size(sheaf))

#define kmalloc(size, gfp) bsl_kmalloc(size, gfp)
#define kzalloc(size, gfp) bsl_kzalloc(size, gfp)
#define kcalloc(nr, size, gfp) bsl_kcalloc(nr, size, gfp)
#define kmalloc_array(nr, size, gfp) bsl_kmalloc_array(nr, size, gfp)
#define krealloc(p, size, gfp) bsl_krealloc(p, size, gfp)
#define kfree(p) bsl_kfree(p)
#define kfree_sensitive(p) bsl_kfree_sensitive(p)
#define ksize(p) bsl_ksize(p)
#define kvmalloc(size, gfp) bsl_kvmalloc(size, gfp)
#define kvzalloc(size, gfp) bsl_kvzalloc(size, gfp)
#define kvfree(p) bsl_kvfree(p)
#define kmemdup(from, size, gfp) bsl_kmemdup(from, size, gfp)
#define kstrdup(text, gfp) bsl_kstrdup(text, gfp)
#define kstrndup(text, max, gfp) bsl_kstrndup(text, max, gfp)

#endif
