/*
 * Private heaps: memory of any size that is given back all at once, for a request, a connection, a
 * document.  Giving a heap back costs a step for each slab of objects in it, not for each object.
 *
 * Any thread may use a heap, unless it was made with BSL_HEAP_ONE_THREAD.  Objects may be freed one by
 * one, too, by bsl_heap_free(); free(), realloc() and malloc_usable_size() find the heap of an object
 * themselves, so that it can be handed to code which knows nothing of heaps.  What is freed twice, to
 * another heap, or by an address inside of it is reported, and the program aborts.
 *
 * So is the use of a heap that was destroyed, but not for ever: a new heap takes the place that has been
 * unused longest, and when a place has had 1024 heaps more, it answers to the old handle again.
 */
#ifndef BUDDYSLAB_HEAP_H
#define BUDDYSLAB_HEAP_H

#include <buddyslab/export.h>
#include <stddef.h>

BSL_BEGIN_DECLS

typedef struct bsl_heap bsl_heap;

/* One thread at a time uses the heap and its objects, that is: allocates, frees, asks.  It takes no lock
 * then.  In the child of a fork by another thread such a heap must not be used. */
#define BSL_HEAP_ONE_THREAD 0x1u

/*
 * An empty heap.  The name is for messages: copied, up to 31 bytes; NULL is "private".  `limit` is the most
 * bytes of slabs, pages and windows that it may hold, at any time; 0: no limit.  It holds no memory but its descriptor
 * before the first allocation.
 *
 * NULL with errno = EINVAL for unknown flags; ENOSPC when there are 1048576 heaps; ENOMEM.
 */
BSL_API BSL_MUST_USE bsl_heap* bsl_heap_create(const char* name, unsigned flags,
                                               size_t limit) BSL_NOEXCEPT;

/* Gives back all that was allocated from the heap; the heap is empty then, or gone.  Nobody uses it or its
 * objects meanwhile.  NULL is ignored by bsl_heap_destroy(). */
BSL_API void bsl_heap_reset(bsl_heap* heap) BSL_NOEXCEPT;
BSL_API void bsl_heap_destroy(bsl_heap* heap) BSL_NOEXCEPT;

/*
 * An object of at least `size` bytes, aligned to 16; bsl_heap_zalloc(): of zeros; bsl_heap_aligned_alloc():
 * to any power of two.  NULL with errno = ENOMEM when there is no memory or the limit is reached (after the
 * program's shrinkers were asked), EINVAL for an alignment that is no power of two.
 */
BSL_API BSL_MUST_USE BSL_ALLOC_SIZE(2) void* bsl_heap_alloc(bsl_heap* heap,
                                                            size_t size) BSL_NOEXCEPT;
BSL_API BSL_MUST_USE BSL_ALLOC_SIZE(2) void* bsl_heap_zalloc(bsl_heap* heap,
                                                             size_t size) BSL_NOEXCEPT;
BSL_API BSL_MUST_USE BSL_ALLOC_SIZE(3) void* bsl_heap_aligned_alloc(bsl_heap* heap,
                                                                    size_t alignment,
                                                                    size_t size) BSL_NOEXCEPT;

/* As realloc(), within the heap: p may be NULL, and a size of 0 frees p and gives NULL.  To make an object
 * smaller never fails. */
BSL_API BSL_MUST_USE BSL_ALLOC_SIZE(3) void* bsl_heap_realloc(bsl_heap* heap, void* p,
                                                              size_t size) BSL_NOEXCEPT;

/* Gives one object back; NULL is ignored. */
BSL_API void bsl_heap_free(bsl_heap* heap, void* p) BSL_NOEXCEPT;

/* Bytes that may be used at p; 0 for NULL. */
BSL_API BSL_MUST_USE size_t bsl_heap_usable_size(bsl_heap* heap, const void* p) BSL_NOEXCEPT;

/* The name that the heap was given. */
BSL_API BSL_MUST_USE const char* bsl_heap_name(bsl_heap* heap) BSL_NOEXCEPT;

/* What is in a heap; bytes unless a name says otherwise. */
struct bsl_heap_stats
{
    size_t size; /* of this struct, by the caller: later versions have more members behind these */
    size_t nr_objects; /* in use */
    size_t in_use;     /* by these objects, as bsl_heap_usable_size() has it */
    size_t held;       /* slabs, pages and windows that the heap has */
    size_t held_peak;  /* the most that it ever had */
    size_t limit;      /* 0: none */
    size_t nr_slabs;
};

/*
 * Fills stats->size bytes of *stats; members that this version of the library does not know are zeros.
 * Takes a step for each slab.  Returns 0, or -EINVAL if size is less than the first version's.
 */
BSL_API BSL_NONNULL(2) int bsl_heap_get_stats(bsl_heap* heap,
                                              struct bsl_heap_stats* stats) BSL_NOEXCEPT;

BSL_END_DECLS

#endif
