/* How the public functions are declared: one macro per promise, whatever the compiler calls it. */
#ifndef BUDDYSLAB_EXPORT_H
#define BUDDYSLAB_EXPORT_H

#ifdef __cplusplus
#define BSL_BEGIN_DECLS extern "C" {
#define BSL_END_DECLS }
/* Never throws; in C nothing does. */
#define BSL_NOEXCEPT noexcept
#else
#define BSL_BEGIN_DECLS
#define BSL_END_DECLS
#define BSL_NOEXCEPT
#endif

/* Part of the interface: visible outside the shared library. */
#define BSL_API __attribute__((visibility("default")))

/* The result is memory that no other pointer refers to. */
#define BSL_MALLOC __attribute__((malloc))

/* The same, and it is to be given back to `release`, which takes it as its first argument. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
#define BSL_MALLOC_FREED_BY(release) __attribute__((malloc, malloc(release, 1)))
#else
#define BSL_MALLOC_FREED_BY(release) __attribute__((malloc))
#endif

/* The result has as many bytes as argument n says, or as arguments n and m multiplied say. */
#define BSL_ALLOC_SIZE(n) __attribute__((alloc_size(n)))
#define BSL_ALLOC_SIZE2(n, m) __attribute__((alloc_size(n, m)))

/* The result is aligned as argument n says. */
#define BSL_ALLOC_ALIGN(n) __attribute__((alloc_align(n)))

/* The result is aligned to this many bytes. */
#define BSL_RETURNS_ALIGNED(bytes) __attribute__((assume_aligned(bytes)))

/* To ignore the result is a mistake (a leak, mostly). */
#define BSL_MUST_USE __attribute__((warn_unused_result))

/* These arguments (by number, from 1) are never NULL. */
#define BSL_NONNULL(...) __attribute__((nonnull(__VA_ARGS__)))

#endif
