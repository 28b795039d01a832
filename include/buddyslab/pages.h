/*
 * Page frames: blocks of 2^order pages of 4096 bytes, aligned to their size, as the kernel's alloc_pages.
 *
 * What comes from here goes back by the functions of this header, with the same order.  A block that is
 * free already, the middle of one, another order, or memory of malloc's: the library says what is
 * wrong, about which address, and aborts.
 *
 * Any thread may call any of them, and free what another thread got.
 */
#ifndef BUDDYSLAB_PAGES_H
#define BUDDYSLAB_PAGES_H

#include <buddyslab/export.h>
#include <buddyslab/gfp.h>
#include <stddef.h>

BSL_BEGIN_DECLS

#define BSL_PAGE_SHIFT 12
#define BSL_PAGE_SIZE (1ul << BSL_PAGE_SHIFT)

/* The largest order: 1024 pages. */
#define BSL_MAX_PAGE_ORDER 10

/*
 * What the library knows of a page.  The pages of a block follow each other, and so do these: page + 1
 * is the next one.
 */
struct bsl_page
{
    unsigned long opaque[64 / sizeof(unsigned long)];
};

/*
 * The first page of a block of 2^order pages.  NULL with errno = ENOMEM when there is no memory (never
 * for small orders with BSL___GFP_NOFAIL); NULL with errno = EINVAL for an order above BSL_MAX_PAGE_ORDER
 * or flags that are not known.
 */
BSL_API BSL_MUST_USE struct bsl_page* bsl_alloc_pages(bsl_gfp_t gfp, unsigned order) BSL_NOEXCEPT;
BSL_API BSL_MUST_USE struct bsl_page* bsl_alloc_page(bsl_gfp_t gfp) BSL_NOEXCEPT;

/* Gives a block back by its first page; the kernel's __free_pages().  NULL is ignored. */
BSL_API void bsl_free_block(struct bsl_page* first, unsigned order) BSL_NOEXCEPT;

/*
 * The same in the middle of anything, such as a signal handler that interrupted malloc: for blocks up to
 * order 3 of ordinary memory without a lock or a system call.  What such a handler gets, it gets by
 * BSL_GFP_ATOMIC or BSL_GFP_NOWAIT, from a reserve that other calls of alloc_pages fill up; NULL when it
 * is empty, for larger orders, and for BSL___GFP_DMA32.
 */
BSL_API void bsl_free_pages_nolock(struct bsl_page* first, unsigned order) BSL_NOEXCEPT;

/* The same by addresses; 0 instead of NULL. */
BSL_API BSL_MUST_USE unsigned long bsl_get_free_pages(bsl_gfp_t gfp, unsigned order) BSL_NOEXCEPT;
BSL_API BSL_MUST_USE unsigned long bsl_get_free_page(bsl_gfp_t gfp) BSL_NOEXCEPT;
BSL_API BSL_MUST_USE unsigned long bsl_get_zeroed_page(bsl_gfp_t gfp) BSL_NOEXCEPT;
BSL_API void bsl_free_pages(unsigned long address, unsigned order) BSL_NOEXCEPT;
BSL_API void bsl_free_page(unsigned long address) BSL_NOEXCEPT;

/*
 * As many pages as `size` bytes need, and not those that are left to the next power of two; at most
 * 4 MiB.  They are given back with the same size.  NULL with errno = EINVAL for a size of 0 or too large.
 */
BSL_API BSL_MUST_USE void* bsl_alloc_pages_exact(size_t size, bsl_gfp_t gfp) BSL_NOEXCEPT;
BSL_API void bsl_free_pages_exact(void* start, size_t size) BSL_NOEXCEPT;

/*
 * Memory nodes (NUMA): 0 … bsl_nr_online_nodes() - 1, one on most machines.  bsl_numa_node_id() is the one
 * that the thread runs on just now, and where the functions above take memory from.
 *
 * bsl_alloc_pages_node() takes it from another; from that one's neighbours, the nearest first, when the
 * system gives no more.  With BSL___GFP_THISNODE: NULL then, with errno = ENOMEM.  BSL_NUMA_NO_NODE is the
 * thread's own; a node that there is not: NULL, with errno = EINVAL.  What a thread keeps at hand is passed
 * by: each call takes the zone's lock.
 *
 * bsl_page_to_nid() is the node of the zone that a page belongs to.
 */
#define BSL_NUMA_NO_NODE (-1)
BSL_API unsigned bsl_nr_online_nodes(void) BSL_NOEXCEPT;
BSL_API int bsl_numa_node_id(void) BSL_NOEXCEPT;
BSL_API int bsl_node_distance(int from, int to) BSL_NOEXCEPT;
BSL_API BSL_MUST_USE struct bsl_page* bsl_alloc_pages_node(int nid, bsl_gfp_t gfp,
                                                           unsigned order) BSL_NOEXCEPT;
BSL_API BSL_NONNULL(1) int bsl_page_to_nid(const struct bsl_page* page) BSL_NOEXCEPT;

/*
 * From page to address and back.  bsl_virt_to_page() and bsl_pfn_to_page() know every page of every
 * arena, whoever has it; NULL: there is no page at this address, or it is in a window.
 */
BSL_API BSL_NONNULL(1) void* bsl_page_address(const struct bsl_page* page) BSL_NOEXCEPT;
BSL_API struct bsl_page* bsl_virt_to_page(const void* address) BSL_NOEXCEPT;
BSL_API BSL_NONNULL(1) unsigned long bsl_page_to_pfn(const struct bsl_page* page) BSL_NOEXCEPT;
BSL_API struct bsl_page* bsl_pfn_to_page(unsigned long pfn) BSL_NOEXCEPT;

BSL_END_DECLS

#endif
