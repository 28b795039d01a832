/* What a caller of the kernel-style functions can bear: the kernel's GFP flags. */
#ifndef BUDDYSLAB_GFP_H
#define BUDDYSLAB_GFP_H

typedef unsigned bsl_gfp_t;

/* Where the memory is. */
#define BSL_GFP_DMA32 0x04u   /* below 4 GiB */
#define BSL_GFP_MOVABLE 0x08u /* no meaning here: addresses that were handed out do not move */

/* What may be done to get it. */
#define BSL_GFP_RECLAIM 0xc00u        /* wait, and ask the system for more */
#define BSL_GFP_NOFAIL 0x8000u        /* goes on until there is memory */
#define BSL_GFP_RETRY_MAYFAIL 0x4000u /* no meaning here: as without */
#define BSL_GFP_NORETRY 0x10000u      /* no meaning here: as without */
#define BSL_GFP_HIGH 0x20u            /* may use the reserve */

/* How it is to be. */
#define BSL_GFP_ZERO 0x100u
#define BSL_GFP_NOWARN 0x2000u /* no meaning here: nothing is printed when memory runs out */
#define BSL_GFP_COMP 0x40000u  /* no meaning here */
#define BSL_GFP_ACCOUNT 0x400000u

#define BSL_GFP_KERNEL BSL_GFP_RECLAIM
#define BSL_GFP_KERNEL_ACCOUNT (BSL_GFP_KERNEL | BSL_GFP_ACCOUNT)
#define BSL_GFP_USER BSL_GFP_KERNEL
/* Never waits and never enters the kernel. */
#define BSL_GFP_NOWAIT 0u
#define BSL_GFP_ATOMIC BSL_GFP_HIGH

#define BSL_GFP_ALL_BITS                                                                           \
    (BSL_GFP_DMA32 | BSL_GFP_MOVABLE | BSL_GFP_RECLAIM | BSL_GFP_NOFAIL | BSL_GFP_RETRY_MAYFAIL |  \
     BSL_GFP_NORETRY | BSL_GFP_HIGH | BSL_GFP_ZERO | BSL_GFP_NOWARN | BSL_GFP_COMP |               \
     BSL_GFP_ACCOUNT)

#endif
