/*
 * What an allocation can bear, as the kernel's GFP flags ("get free pages").
 *
 *     BSL_GFP_KERNEL   may make room, enter the kernel and wait for a lock: the usual case
 *     BSL_GFP_NOWAIT   takes what lies at hand, without a system call, a page fault or a lock that
 *     BSL_GFP_ATOMIC   somebody holds; otherwise NULL.  For signal handlers and real-time threads.
 *
 * The first says whether the call may reclaim; the others (BSL___GFP_*) are added to it with |.  A bit
 * that is not listed here is an error: NULL, and errno is EINVAL.
 */
#ifndef BUDDYSLAB_GFP_H
#define BUDDYSLAB_GFP_H

typedef unsigned bsl_gfp_t;

/* Which zone; none of them: ZONE_NORMAL. */
#define BSL___GFP_DMA32 0x1u   /* addresses below 4 GiB */
#define BSL___GFP_MOVABLE 0x2u /* may be served from a CMA area */

/* What to do where memory is short. */
#define BSL___GFP_RECLAIM 0x4u /* may make room, enter the kernel, and wait */
#define BSL___GFP_HIGH 0x8u    /* may use the reserve below the watermark */
#define BSL___GFP_NOFAIL 0x10u /* never NULL: tries again; pages: or a message, and abort() */
#define BSL___GFP_RETRY_MAYFAIL 0x20u /* accepted: every call tries everything before NULL */
#define BSL___GFP_NORETRY 0x40u       /* accepted, likewise */
#define BSL___GFP_NOWARN 0x80u        /* accepted: no call prints a message when it fails */

/* What the memory is like. */
#define BSL___GFP_ZERO 0x100u /* zeros */
#define BSL___GFP_ACCOUNT                                                                          \
    0x200u /* accepted, as in the kernel's code; caches have limits of their own */

/* Where from. */
#define BSL___GFP_THISNODE 0x400u /* of the node that is asked for, and of no other: or NULL */

#define BSL_GFP_ALL 0x7ffu

#define BSL_GFP_KERNEL BSL___GFP_RECLAIM
#define BSL_GFP_KERNEL_ACCOUNT (BSL_GFP_KERNEL | BSL___GFP_ACCOUNT)
#define BSL_GFP_USER BSL_GFP_KERNEL
#define BSL_GFP_ATOMIC BSL___GFP_HIGH
#define BSL_GFP_NOWAIT BSL___GFP_NOWARN
#define BSL_GFP_DMA32 BSL___GFP_DMA32
#define BSL_GFP_THISNODE (BSL___GFP_THISNODE | BSL___GFP_NOWARN | BSL___GFP_NORETRY)
#define BSL_GFP_MOVABLE (BSL_GFP_KERNEL | BSL___GFP_MOVABLE)
#define BSL_GFP_ZERO BSL___GFP_ZERO
#define BSL_GFP_NOFAIL BSL___GFP_NOFAIL
#define BSL_GFP_NOWARN BSL___GFP_NOWARN
#define BSL_GFP_RETRY_MAYFAIL BSL___GFP_RETRY_MAYFAIL

#endif
