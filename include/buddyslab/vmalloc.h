/*
 * The kernel's vmalloc family: windows, whole pages at addresses of their own, each with inaccessible
 * addresses behind it: to write past its last page is a SIGSEGV.  NULL with errno = ENOMEM when there is
 * no memory; EINVAL for a size of 0.
 */
#ifndef BUDDYSLAB_VMALLOC_H
#define BUDDYSLAB_VMALLOC_H

#include <buddyslab/export.h>
#include <stddef.h>

BSL_BEGIN_DECLS

/*
 * Gives a window back; NULL is ignored.  Anything else but the start of a window is reported, and the
 * program aborts.
 */
BSL_API void bsl_vfree(const void* p) BSL_NOEXCEPT;

/* `size` bytes, rounded up to whole pages, of any content; or zeros. */
BSL_API BSL_MUST_USE BSL_ALLOC_SIZE(1) void* bsl_vmalloc(size_t size) BSL_NOEXCEPT;
BSL_API BSL_MUST_USE BSL_ALLOC_SIZE(1) void* bsl_vzalloc(size_t size) BSL_NOEXCEPT;

/* Another size, its contents kept without copying; NULL leaves p as it is.  p may be NULL. */
BSL_API BSL_MUST_USE BSL_ALLOC_SIZE(2) void* bsl_vrealloc(const void* p, size_t size) BSL_NOEXCEPT;

/* Is the address in a window?  1 or 0, for any address. */
BSL_API BSL_MUST_USE int bsl_is_vmalloc_addr(const void* p) BSL_NOEXCEPT;

BSL_END_DECLS

#endif
