/*
 * Object caches, as the kernel's kmem_cache: objects of one size, of a name of the program's, that can
 * stay constructed between uses.
 *
 * Any thread may call any function here.  What comes from a cache goes back to it by
 * bsl_kmem_cache_free(), or by bsl_kfree() or free(), which find the cache themselves.  An object that is
 * given to another cache, twice, or by an address inside of it is a mistake of the program: it is
 * reported, with the object's cache, and the program aborts.
 */
#ifndef BUDDYSLAB_KMEM_CACHE_H
#define BUDDYSLAB_KMEM_CACHE_H

#include <buddyslab/export.h>
#include <buddyslab/gfp.h>
#include <stddef.h>

BSL_BEGIN_DECLS

typedef struct bsl_kmem_cache bsl_kmem_cache;
typedef struct bsl_sheaf bsl_sheaf;

/* Objects start at cache lines (small ones: share one evenly). */
#define BSL_SLAB_HWCACHE_ALIGN 0x2000u
/* The program ends with a message if the cache cannot be made. */
#define BSL_SLAB_PANIC 0x40000u
/* Refused: this library has no grace periods, so a slab may go while others still look at it. */
#define BSL_SLAB_TYPESAFE_BY_RCU 0x80000u
/* The memory of the slabs is limited by bsl_kmem_cache_args.limit. */
#define BSL_SLAB_ACCOUNT 0x4000000u
/* A cache of its own, even if one with objects of the same size is there. */
#define BSL_SLAB_NO_MERGE 0x1000000u

/* What else a cache can be given; zeros are the defaults. */
struct bsl_kmem_cache_args
{
    size_t size;  /* of this struct, by the caller: later versions have more members */
    size_t align; /* of objects: a power of two up to 4096, or 0 */
    void (*ctor)(void* object);
    size_t limit;                                     /* with BSL_SLAB_ACCOUNT: bytes of slabs */
    void (*ctor_with)(void* object, void* user_data); /* instead of ctor */
    void* user_data; /* the program's own: see bsl_kmem_cache_user_data() */
};

/*
 * A cache of objects of `size` bytes, at most 4 MiB.  The name is copied.  `align` and `ctor` may be 0.
 * The constructor runs once for each object and slab: an object that is freed must be left as the
 * constructor made it.  It may allocate, but not from this cache.
 *
 * Two caches are one (merged) if their objects have the same size and both have neither a constructor nor
 * user data nor BSL_SLAB_ACCOUNT nor BSL_SLAB_NO_MERGE: name and size are then the first one's.
 *
 * NULL with errno = EINVAL for a size, alignment or flag that is not possible, or two constructors; ENOSPC when there are 512
 * caches; ENOMEM.
 */
BSL_API BSL_MUST_USE bsl_kmem_cache* bsl_kmem_cache_create(const char* name, size_t size,
                                                           size_t align, unsigned flags,
                                                           void (*ctor)(void*)) BSL_NOEXCEPT;
BSL_API BSL_MUST_USE bsl_kmem_cache*
bsl_kmem_cache_create_args(const char* name, size_t size, const struct bsl_kmem_cache_args* args,
                           unsigned flags) BSL_NOEXCEPT;

/*
 * Gives the cache and its memory back; NULL is ignored.  Nobody may use it meanwhile.  Returns 0; or
 * -EBUSY if objects are still in use: they are reported by address on standard error, and the cache stays
 * as it is.
 */
BSL_API int bsl_kmem_cache_destroy(bsl_kmem_cache* cache) BSL_NOEXCEPT;

/*
 * An object: constructed if the cache has a constructor, otherwise of any content, or zeros with
 * BSL_GFP_ZERO.  NULL with errno = ENOMEM; EINVAL for unknown flags, or for zeros of a cache with a
 * constructor.
 */
BSL_API BSL_MUST_USE void* bsl_kmem_cache_alloc(bsl_kmem_cache* cache, bsl_gfp_t gfp) BSL_NOEXCEPT;
BSL_API BSL_MUST_USE void* bsl_kmem_cache_zalloc(bsl_kmem_cache* cache, bsl_gfp_t gfp) BSL_NOEXCEPT;

/* Gives an object back; NULL is ignored. */
BSL_API void bsl_kmem_cache_free(bsl_kmem_cache* cache, void* object) BSL_NOEXCEPT;

/*
 * Many objects at once: all `nr` of them, and the result is nr; or none, and it is 0 with errno as
 * bsl_kmem_cache_alloc() sets it.
 */
BSL_API BSL_MUST_USE size_t bsl_kmem_cache_alloc_bulk(bsl_kmem_cache* cache, bsl_gfp_t gfp,
                                                      size_t nr, void** objects) BSL_NOEXCEPT;
BSL_API void bsl_kmem_cache_free_bulk(bsl_kmem_cache* cache, size_t nr,
                                      void** objects) BSL_NOEXCEPT;

/*
 * Objects in advance: a sheaf of at least `nr`, at most 4096.  As long as it holds some,
 * bsl_kmem_cache_alloc_from_sheaf() cannot fail; NULL when it is empty.  What is left goes back to the
 * cache with the sheaf.  A sheaf is used by one thread at a time.
 */
BSL_API BSL_MUST_USE bsl_sheaf* bsl_kmem_cache_prefill_sheaf(bsl_kmem_cache* cache, bsl_gfp_t gfp,
                                                             size_t nr) BSL_NOEXCEPT;
/* Fills it up to `nr` again: 0, or -ENOMEM, and it is as it was; -EINVAL if it never had so many. */
BSL_API BSL_MUST_USE int bsl_kmem_cache_refill_sheaf(bsl_kmem_cache* cache, bsl_gfp_t gfp,
                                                     bsl_sheaf* sheaf, size_t nr) BSL_NOEXCEPT;
BSL_API BSL_MUST_USE void* bsl_kmem_cache_alloc_from_sheaf(bsl_kmem_cache* cache, bsl_gfp_t gfp,
                                                           bsl_sheaf* sheaf) BSL_NOEXCEPT;
BSL_API size_t bsl_kmem_cache_sheaf_size(const bsl_sheaf* sheaf) BSL_NOEXCEPT;
BSL_API void bsl_kmem_cache_return_sheaf(bsl_kmem_cache* cache, bsl_gfp_t gfp,
                                         bsl_sheaf* sheaf) BSL_NOEXCEPT;

/* Gives back what this thread and the cache keep unused.  Returns 0. */
BSL_API int bsl_kmem_cache_shrink(bsl_kmem_cache* cache) BSL_NOEXCEPT;

/* Bytes of an object, as asked for; the cache's name (merged caches have the first one's). */
BSL_API BSL_MUST_USE size_t bsl_kmem_cache_size(const bsl_kmem_cache* cache) BSL_NOEXCEPT;
BSL_API BSL_MUST_USE const char* bsl_kmem_cache_name(const bsl_kmem_cache* cache) BSL_NOEXCEPT;

/* What the cache was made with; NULL if nothing.  The library never looks at it. */
BSL_API BSL_MUST_USE void* bsl_kmem_cache_user_data(const bsl_kmem_cache* cache) BSL_NOEXCEPT;

/* Objects that are in use now; exact while no other thread uses the cache. */
BSL_API BSL_MUST_USE size_t bsl_kmem_cache_in_use(const bsl_kmem_cache* cache) BSL_NOEXCEPT;

BSL_END_DECLS

#endif
