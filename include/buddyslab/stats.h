/* Figures of the heap. */
#ifndef BUDDYSLAB_STATS_H
#define BUDDYSLAB_STATS_H

#include <buddyslab/export.h>
#include <stddef.h>

BSL_BEGIN_DECLS

/*
 * Where the heap's memory is, in bytes unless a name says otherwise.  Exact while no other thread
 * allocates; otherwise off by what they did meanwhile.
 */
struct bsl_stats
{
    size_t size; /* of this struct, by the caller: later versions have more members behind these */

    /* from the system */
    size_t mapped;      /* address space mapped to hold objects, and the tables that explain it */
    size_t mapped_peak; /* the most that ever was, or a little more */
    size_t returned;    /* given back since the start */
    size_t returned_calls; /* system calls that took */

    /* in use by the program; objects count at the size of their class, above 32 KiB in whole pages */
    size_t in_use;
    size_t in_use_peak;  /* the most that ever was, or more: see docs/compatibility.md */
    size_t nr_objects;   /* up to 4 MiB */
    size_t nr_windows;   /* above */
    size_t window_bytes; /* of them, a part of in_use */

    /* not in use, and resident for reuse */
    size_t cached;         /* objects that threads keep at hand */
    size_t slab_free;      /* free objects in partly used slabs; their pages need not be resident */
    size_t free_resident;  /* free pages */
    size_t cached_windows; /* freed windows */

    /* private heaps (heap.h): what they hold is a part of in_use, whether their objects are or not */
    size_t nr_heaps;
    size_t heap_bytes;
};

/*
 * Fills stats->size bytes of *stats; members that this version of the library does not know are zeros.
 * Returns 0, or -EINVAL if size is less than the first version's.  May be called from any thread.
 */
BSL_API BSL_NONNULL(1) int bsl_get_stats(struct bsl_stats* stats) BSL_NOEXCEPT;

/*
 * One zone of one node: ordinary memory ("Normal"), addresses below 4 GiB ("DMA32"), contiguous areas
 * ("Movable").  In bytes.
 */
struct bsl_zone_stats
{
    size_t size; /* of this struct, by the caller, as above */

    unsigned node;
    const char* name; /* never goes away */

    size_t mapped;
    size_t used;            /* handed out: to programs, slabs, caches of pages, windows */
    size_t free_resident;   /* free pages that hold memory */
    size_t free_clean;      /* that hold none */
    size_t free_blocks[11]; /* by order; those of the last are whole pageblocks, used ever or not */
};

/*
 * Fills stats->size bytes of *stats about the zone of an index: 0, 1, and so on, by node and ascending
 * addresses.  Returns 0; -ENOENT if there is none of this index; -EINVAL if size is less than the first
 * version's.  May be called from any thread.
 */
BSL_API BSL_NONNULL(2) int bsl_get_zone_stats(unsigned index,
                                              struct bsl_zone_stats* stats) BSL_NOEXCEPT;

/*
 * Writes a report to a file descriptor.  The format is one of
 *
 *     NULL, "summary"    the six lines that BUDDYSLAB=report=exit prints; may be called from any thread
 *     "text"             where the memory is, for reading
 *     "json", "prometheus"
 *     "slabinfo", "buddyinfo", "pagetypeinfo", "vmallocinfo", "zoneinfo", "meminfo"
 *                        as the kernel's files in /proc
 *
 * All but the summary take no lock and allocate nothing: they may be called from signal handlers too.
 * Returns 0, or a negative errno: -EINVAL if there is no such format, -EPERM if a sandbox does not let
 * the process read its own memory by process_vm_readv(), -ENOMEM, or what write() said.
 */
BSL_API int bsl_stats_print(int fd, const char* format) BSL_NOEXCEPT;

BSL_END_DECLS

#endif
