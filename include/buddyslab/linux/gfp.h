/* The kernel's plain names of the GFP flags; see <buddyslab/gfp.h>. */
#ifndef BUDDYSLAB_LINUX_GFP_H
#define BUDDYSLAB_LINUX_GFP_H

#include <buddyslab/gfp.h>
#include <buddyslab/linux/types.h>

typedef bsl_gfp_t gfp_t;

#define __GFP_DMA32 BSL___GFP_DMA32
#define __GFP_MOVABLE BSL___GFP_MOVABLE
#define __GFP_RECLAIM BSL___GFP_RECLAIM
#define __GFP_NOFAIL BSL___GFP_NOFAIL
#define __GFP_RETRY_MAYFAIL BSL___GFP_RETRY_MAYFAIL
#define __GFP_NORETRY BSL___GFP_NORETRY
#define __GFP_HIGH BSL___GFP_HIGH
#define __GFP_ZERO BSL___GFP_ZERO
#define __GFP_NOWARN BSL___GFP_NOWARN
#define __GFP_COMP 0u /* every block is one here */
#define __GFP_ACCOUNT BSL___GFP_ACCOUNT
#define __GFP_THISNODE BSL___GFP_THISNODE
#define GFP_THISNODE BSL_GFP_THISNODE

#define GFP_KERNEL BSL_GFP_KERNEL
#define GFP_KERNEL_ACCOUNT BSL_GFP_KERNEL_ACCOUNT
#define GFP_USER BSL_GFP_USER
#define GFP_NOWAIT BSL_GFP_NOWAIT
#define GFP_ATOMIC BSL_GFP_ATOMIC
#define GFP_DMA32 BSL_GFP_DMA32

#endif
