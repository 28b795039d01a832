/* The kernel's names of what buddyslab/cma.h offers. */
#ifndef BUDDYSLAB_LINUX_CMA_H
#define BUDDYSLAB_LINUX_CMA_H

#include <buddyslab/cma.h>
#include <buddyslab/linux/mm.h>

#define cma bsl_cma

#define cma_declare_contiguous(base, size, limit, alignment, order_per_bit, fixed, name, area)     \
    bsl_cma_declare_contiguous(base, size, limit, alignment, order_per_bit, fixed, name, area)
#define cma_alloc(area, count, align, no_warn) bsl_cma_alloc(area, count, align, no_warn)
#define cma_release(area, first, count) bsl_cma_release(area, first, count)
#define cma_get_base(area) bsl_cma_get_base(area)
#define cma_get_size(area) bsl_cma_get_size(area)
#define cma_get_name(area) bsl_cma_get_name(area)

#endif
