/*
 * A program that counts its calls of malloc: its own malloc passes them on to glibc's name for it, as tracers do,
 * while free, and all else, is whoever's comes next.  What __libc_malloc gives must be what that one takes.
 */
#include "check.h"
#include <stdlib.h>
#include <string.h>

void* __libc_malloc(size_t size);
void* __libc_memalign(size_t alignment, size_t size);
void* __libc_calloc(size_t nr, size_t size);
void* __libc_realloc(void* p, size_t size);
void __libc_free(void* p);

static unsigned long calls;

void* malloc(size_t size)
{
    ++calls;
    return __libc_malloc(size);
}

int main(void)
{
    Dl_info where;
    if (is_library_under_test())
        CHECK(dladdr((void*)&__libc_malloc, &where) && strstr(where.dli_fname, "libbuddyslab"),
              "__libc_malloc comes from %s", where.dli_fname);
    for (size_t size = 1; size < 8 * MiB; size = size * 3 + 1) {
        char* p = malloc(size);
        CHECK(p, "malloc of %zu", size);
        memset(p, 1, size);
        p = realloc(p, size * 2); /* the library's */
        CHECK(p && p[size - 1] == 1, "realloc to %zu", size * 2);
        free(p);
        free(__libc_calloc(size, 2));
        free(__libc_memalign(256, size));
        __libc_free(__libc_realloc(aligned_alloc(64, size), size / 2 + 1));
    }
    char* copy = strdup("libc's own calls come here, too");
    CHECK(copy && calls > 14, "%lu calls", calls);
    free(copy);
    return 0;
}
