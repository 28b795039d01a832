/*
 * The kernel's kmalloc family, on the same heap as bsl_malloc(): bsl_kfree() and bsl_free() take back
 * each other's memory.  Objects of 0 bytes are BSL_ZERO_SIZE_PTR, which only bsl_kfree() and its like
 * know.  NULL with errno = ENOMEM when there is no memory, above 4 MiB (but for kvmalloc), and when a
 * product does not fit; errno = EINVAL for unknown flags.
 */
#ifndef BUDDYSLAB_KMALLOC_H
#define BUDDYSLAB_KMALLOC_H

#include <buddyslab/export.h>
#include <buddyslab/gfp.h>
#include <stddef.h>

BSL_BEGIN_DECLS

#define BSL_KMALLOC_MAX_SIZE 0x400000u
#ifdef __cplusplus
#define BSL_ZERO_SIZE_PTR (reinterpret_cast<void*>(16))
#else
#define BSL_ZERO_SIZE_PTR ((void*)16)
#endif

/*
 * Gives back what the kmalloc family or an object cache handed out; NULL and BSL_ZERO_SIZE_PTR are
 * ignored.  A window of bsl_vmalloc() is reported, and the program aborts.
 */
BSL_API void bsl_kfree(const void* p) BSL_NOEXCEPT;
/* The same after writing zeros over all of it. */
BSL_API void bsl_kfree_sensitive(const void* p) BSL_NOEXCEPT;
/* Either kind: kmalloc's or vmalloc's. */
BSL_API void bsl_kvfree(const void* p) BSL_NOEXCEPT;

BSL_API BSL_MUST_USE BSL_ALLOC_SIZE(1) void* bsl_kmalloc(size_t size, bsl_gfp_t gfp) BSL_NOEXCEPT;
BSL_API BSL_MUST_USE BSL_ALLOC_SIZE(1) void* bsl_kzalloc(size_t size, bsl_gfp_t gfp) BSL_NOEXCEPT;
BSL_API BSL_MUST_USE BSL_ALLOC_SIZE2(1, 2) void* bsl_kmalloc_array(size_t nr, size_t size,
                                                                   bsl_gfp_t gfp) BSL_NOEXCEPT;
BSL_API BSL_MUST_USE BSL_ALLOC_SIZE2(1, 2) void* bsl_kcalloc(size_t nr, size_t size,
                                                             bsl_gfp_t gfp) BSL_NOEXCEPT;

/*
 * p with another size, perhaps elsewhere; NULL leaves p as it is.  p may be NULL; a size of 0 frees p and
 * gives BSL_ZERO_SIZE_PTR.  With BSL_GFP_ZERO what lies behind the old bsl_ksize() is zeros.
 */
BSL_API BSL_MUST_USE BSL_ALLOC_SIZE(2) void* bsl_krealloc(const void* p, size_t size,
                                                          bsl_gfp_t gfp) BSL_NOEXCEPT;

/* Bytes that may be used at p; 0 for NULL and BSL_ZERO_SIZE_PTR. */
BSL_API BSL_MUST_USE size_t bsl_ksize(const void* p) BSL_NOEXCEPT;

/* As kmalloc, and above 4 MiB a window; give it to bsl_kvfree(). */
BSL_API BSL_MUST_USE BSL_ALLOC_SIZE(1) void* bsl_kvmalloc(size_t size, bsl_gfp_t gfp) BSL_NOEXCEPT;
BSL_API BSL_MUST_USE BSL_ALLOC_SIZE(1) void* bsl_kvzalloc(size_t size, bsl_gfp_t gfp) BSL_NOEXCEPT;

/* Copies; bsl_kstrdup(NULL) is NULL. */
BSL_API BSL_MUST_USE void* bsl_kmemdup(const void* from, size_t size, bsl_gfp_t gfp) BSL_NOEXCEPT;
BSL_API BSL_MUST_USE char* bsl_kstrdup(const char* text, bsl_gfp_t gfp) BSL_NOEXCEPT;
BSL_API BSL_MUST_USE char* bsl_kstrndup(const char* text, size_t max, bsl_gfp_t gfp) BSL_NOEXCEPT;

BSL_END_DECLS

#endif
