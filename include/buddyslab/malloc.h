/*
 * malloc and its family under names of our own: the same heap, whichever malloc the program has.
 *
 * Where the library is preloaded or linked ahead of libc, malloc() and bsl_malloc() are one heap, and
 * memory of the one may be given to the free() of the other.  Where it is not (the static library), they
 * are two.
 *
 * All functions may be called from any thread at any time, but not from signal handlers.  A pointer
 * that is freed twice, or that did not come from this heap, is a mistake of the program: it is reported
 * on standard error, and the program aborts.
 */
#ifndef BUDDYSLAB_MALLOC_H
#define BUDDYSLAB_MALLOC_H

#include <buddyslab/export.h>
#include <stddef.h>

/* Every object is aligned to this many bytes. */
#define BSL_MALLOC_ALIGNMENT 16

BSL_BEGIN_DECLS

/*
 * Gives memory back that any function of this header returned.  NULL is ignored; errno is left alone.
 */
BSL_API void bsl_free(void* p) BSL_NOEXCEPT;

/*
 * As bsl_free().  `size` is what was asked for when p was allocated (0 and NULL go together); it is a
 * promise of the caller's, and need not be checked.
 */
BSL_API void bsl_free_sized(void* p, size_t size) BSL_NOEXCEPT;

/*
 * At least `size` bytes of any content; size 0 gives a pointer of its own, too.  NULL, and errno is
 * ENOMEM, when there is no memory.  Free it with bsl_free().
 */
BSL_API BSL_MUST_USE BSL_MALLOC_FREED_BY(bsl_free) BSL_ALLOC_SIZE(1)
    BSL_RETURNS_ALIGNED(BSL_MALLOC_ALIGNMENT) void* bsl_malloc(size_t size) BSL_NOEXCEPT;

/*
 * nr * size bytes of zeros.  NULL, and errno is ENOMEM, when there is no memory, or when the product
 * does not fit into a size_t.  Free it with bsl_free().
 */
BSL_API BSL_MUST_USE BSL_MALLOC_FREED_BY(bsl_free) BSL_ALLOC_SIZE2(1, 2)
    BSL_RETURNS_ALIGNED(BSL_MALLOC_ALIGNMENT) void* bsl_calloc(size_t nr, size_t size) BSL_NOEXCEPT;

/*
 * `size` bytes that begin with the contents of p, as far as they fit; p is no longer valid, even if the
 * result is equal to it.  bsl_realloc(NULL, size) is bsl_malloc(size); bsl_realloc(p, 0) is
 * bsl_free(p), and returns NULL.  NULL, and errno is ENOMEM, when there is no memory: p stays as it is.
 * Free the result with bsl_free().
 */
BSL_API BSL_MUST_USE BSL_ALLOC_SIZE(2)
    BSL_RETURNS_ALIGNED(BSL_MALLOC_ALIGNMENT) void* bsl_realloc(void* p, size_t size) BSL_NOEXCEPT;

/*
 * bsl_realloc(p, nr * size); NULL, errno is ENOMEM, and p stays as it is, when the product does not fit
 * into a size_t.
 */
BSL_API BSL_MUST_USE BSL_ALLOC_SIZE2(2, 3)
    BSL_RETURNS_ALIGNED(BSL_MALLOC_ALIGNMENT) void* bsl_reallocarray(void* p, size_t nr,
                                                                     size_t size) BSL_NOEXCEPT;

/*
 * `size` bytes at a multiple of `alignment`, which is a power of two of any size; `size` need not be a
 * multiple of it.  NULL, and errno is EINVAL, for another alignment; ENOMEM when there is no memory.
 * Free it with bsl_free().
 */
BSL_API BSL_MUST_USE BSL_MALLOC_FREED_BY(bsl_free) BSL_ALLOC_SIZE(2)
    BSL_ALLOC_ALIGN(1) void* bsl_aligned_alloc(size_t alignment, size_t size) BSL_NOEXCEPT;

/*
 * The same in the shape of POSIX: 0, and *out is the memory; or EINVAL (alignment is no power of two,
 * or no multiple of a pointer's size) or ENOMEM, positive as POSIX has them, and neither *out nor errno
 * is touched.  Free *out with bsl_free().
 */
BSL_API BSL_MUST_USE BSL_NONNULL(1) int bsl_posix_memalign(void** out, size_t alignment,
                                                           size_t size) BSL_NOEXCEPT;

/*
 * How many bytes at p may be used: what was asked for, or more.  0 for NULL.
 */
BSL_API BSL_MUST_USE size_t bsl_malloc_usable_size(const void* p) BSL_NOEXCEPT;

/*
 * Gives all memory that nobody uses back to the system, of every thread, but about `keep` bytes of each
 * kind that is kept for reuse.  Returns 1 if anything was given back, otherwise 0.  It takes
 * milliseconds where there is much to give.
 */
BSL_API int bsl_malloc_trim(size_t keep) BSL_NOEXCEPT;

BSL_END_DECLS

#endif
