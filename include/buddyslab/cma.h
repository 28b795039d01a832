/*
 * Contiguous areas: memory that is there, in one piece, when it is called for.  The kernel's CMA.
 *
 * An area is faulted in when it is declared, and stays the process's for good.  While its pages are not
 * in use, their frames may serve windows (malloc above 4 MiB); bsl_cma_alloc() calls them home, without
 * any window changing its address or contents.
 */
#ifndef BUDDYSLAB_CMA_H
#define BUDDYSLAB_CMA_H

#include <buddyslab/export.h>
#include <buddyslab/pages.h>
#include <stddef.h>

BSL_BEGIN_DECLS

struct bsl_cma;
typedef struct bsl_cma bsl_cma;

/*
 * Declares an area of `size` bytes, a multiple of 4 MiB, and fills *area.  With `base` it is there if
 * these addresses are free, or else, unless `fixed`, elsewhere; with `limit` all of it is below; both may
 * be 0.  It is aligned to `alignment`, 0 or a power of two, and to 4 MiB.  Pages are counted in units of
 * 2^order_per_bit, at most order 10.  Of `name`, which may be NULL, 63 characters are kept.
 *
 * Returns 0; -EINVAL for arguments that contradict each other or this; -ENOMEM without memory or free
 * addresses.
 */
BSL_API BSL_MUST_USE BSL_NONNULL(8) int bsl_cma_declare_contiguous(size_t base, size_t size,
                                                                   size_t limit, size_t alignment,
                                                                   unsigned order_per_bit,
                                                                   int fixed, const char* name,
                                                                   bsl_cma** area) BSL_NOEXCEPT;

/*
 * `count` pages that follow each other, the first at a multiple of 2^align pages.  Their contents are
 * anything.  NULL with errno = ENOMEM when the area has no such run, or when frames that are away cannot
 * come home; with errno = EINVAL for a count of 0.  `no_warn` has no meaning here: nothing is printed.
 */
BSL_API BSL_MUST_USE BSL_NONNULL(1) struct bsl_page* bsl_cma_alloc(bsl_cma* area,
                                                                   unsigned long count,
                                                                   unsigned align,
                                                                   int no_warn) BSL_NOEXCEPT;

/*
 * Gives `count` pages back, which may be a part of what bsl_cma_alloc() gave.  Returns 1; 0 if they are
 * not pages of this area.  Pages that are not in use: the library says so and aborts.
 */
BSL_API BSL_NONNULL(1) int bsl_cma_release(bsl_cma* area, const struct bsl_page* pages,
                                           unsigned long count) BSL_NOEXCEPT;

BSL_API BSL_NONNULL(1) void* bsl_cma_get_base(const bsl_cma* area) BSL_NOEXCEPT;
BSL_API BSL_NONNULL(1) size_t bsl_cma_get_size(const bsl_cma* area) BSL_NOEXCEPT;
BSL_API BSL_NONNULL(1) const char* bsl_cma_get_name(const bsl_cma* area) BSL_NOEXCEPT;

BSL_END_DECLS

#endif
