/* The kernel's plain names of vmalloc; see <buddyslab/vmalloc.h>. */
#ifndef BUDDYSLAB_LINUX_VMALLOC_H
#define BUDDYSLAB_LINUX_VMALLOC_H

#include <buddyslab/linux/gfp.h>
#include <buddyslab/vmalloc.h>

#define vmalloc(size) bsl_vmalloc(size)
#define vzalloc(size) bsl_vzalloc(size)
#define vrealloc(p, size, gfp) ((void)(gfp), bsl_vrealloc(p, size))
#define vfree(p) bsl_vfree(p)
#define is_vmalloc_addr(p) (bsl_is_vmalloc_addr(p) != 0)

#endif
