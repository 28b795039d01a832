/* The kernel's small words that code around its allocators uses.  Each only if nobody else defines it. */
#ifndef BUDDYSLAB_LINUX_TYPES_H
#define BUDDYSLAB_LINUX_TYPES_H

#include <stddef.h>
#include <stdint.h>

typedef unsigned int slab_flags_t;

#ifndef __cplusplus
#include <stdbool.h>
#endif

#ifndef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)
#endif
#ifndef container_of
#define container_of(pointer, type, member)                                                        \
    ((type*)(void*)((char*)(pointer)-offsetof(type, member)))
#endif
#ifndef likely
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#endif
#ifndef __init
#define __init
#define __exit
#endif

#endif
