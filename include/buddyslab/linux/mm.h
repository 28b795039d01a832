/*
 * The kernel's names of what buddyslab/pages.h offers, for code written as for the kernel.  The flags
 * have theirs in buddyslab/linux/gfp.h.
 *
 * PAGE_SIZE is 4096 whatever the machine's pages are.
 */
#ifndef BUDDYSLAB_LINUX_MM_H
#define BUDDYSLAB_LINUX_MM_H

#include <buddyslab/pages.h>

#undef PAGE_SHIFT
#undef PAGE_SIZE
#undef PAGE_MASK
#define PAGE_SHIFT BSL_PAGE_SHIFT
#define PAGE_SIZE BSL_PAGE_SIZE
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define MAX_PAGE_ORDER BSL_MAX_PAGE_ORDER

/* struct page, whole words only: struct bsl_page. */
#define page bsl_page

#define alloc_pages(gfp, order) bsl_alloc_pages(gfp, order)
#define alloc_page(gfp) bsl_alloc_page(gfp)
#define __free_pages(first, order) bsl_free_block(first, order)
#define __free_page(first) bsl_free_block(first, 0)
#define free_pages_nolock(first, order) bsl_free_pages_nolock(first, order)

#define __get_free_pages(gfp, order) bsl_get_free_pages(gfp, order)
#define __get_free_page(gfp) bsl_get_free_page(gfp)
#define get_zeroed_page(gfp) bsl_get_zeroed_page(gfp)
#define free_pages(address, order) bsl_free_pages(address, order)
#define free_page(address) bsl_free_page(address)

#define alloc_pages_exact(size, gfp) bsl_alloc_pages_exact(size, gfp)
#define free_pages_exact(start, size) bsl_free_pages_exact(start, size)

#define NUMA_NO_NODE BSL_NUMA_NO_NODE
#define nr_online_nodes bsl_nr_online_nodes()
#define numa_node_id() bsl_numa_node_id()
#define numa_mem_id() bsl_numa_node_id()
#define node_distance(from, to) bsl_node_distance(from, to)
#define alloc_pages_node(nid, gfp, order) bsl_alloc_pages_node(nid, gfp, order)
#define page_to_nid(of) bsl_page_to_nid(of)

#define page_address(of) bsl_page_address(of)
#define virt_to_page(address) bsl_virt_to_page((const void*)(address))
#define page_to_pfn(of) bsl_page_to_pfn(of)
#define pfn_to_page(pfn) bsl_pfn_to_page(pfn)
#define nth_page(of, n) ((of) + (n))

#endif
