/*
 * Shrinkers: the program's own caches, asked to become smaller when memory is short.
 *
 * They are asked where an allocation would otherwise fail (the system refuses more, or a cache is at its
 * limit), and by bsl_malloc_trim(); in the order in which they were registered, by one thread at a time,
 * with no lock of the library's held: they may free, and even allocate.
 */
#ifndef BUDDYSLAB_SHRINKER_H
#define BUDDYSLAB_SHRINKER_H

#include <buddyslab/export.h>
#include <buddyslab/gfp.h>

BSL_BEGIN_DECLS

/* scan_objects() cannot do anything now; count_objects(): there is nothing. */
#define BSL_SHRINK_STOP (~0ul)
#define BSL_SHRINK_EMPTY (~0ul - 1)

struct bsl_shrink_control
{
    bsl_gfp_t gfp_mask;
    unsigned long nr_to_scan; /* for scan_objects(): about so many objects */
    unsigned long nr_scanned; /* set to nr_to_scan before; it may correct that */
};

/* The caller's, from bsl_register_shrinker() to bsl_unregister_shrinker(). */
struct bsl_shrinker
{
    /* How many objects could be freed. */
    unsigned long (*count_objects)(struct bsl_shrinker* shrinker,
                                   struct bsl_shrink_control* control);
    /* Frees some; how many it was, or BSL_SHRINK_STOP. */
    unsigned long (*scan_objects)(struct bsl_shrinker* shrinker,
                                  struct bsl_shrink_control* control);
    unsigned long batch; /* objects for one call of scan_objects(); 0: 128 */
    void* private_data;
};

/* Returns 0; -ENOSPC when 64 are registered; -EINVAL without both functions. */
BSL_API BSL_MUST_USE BSL_NONNULL(1) int bsl_register_shrinker(struct bsl_shrinker* shrinker)
    BSL_NOEXCEPT;

/* It will not be called any more; waits for a call that is under way.  Not from inside one. */
BSL_API BSL_NONNULL(1) void bsl_unregister_shrinker(struct bsl_shrinker* shrinker) BSL_NOEXCEPT;

BSL_END_DECLS

#endif
