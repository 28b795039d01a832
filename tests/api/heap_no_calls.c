/*
 * Private heaps that come and go enter the kernel for nothing: made, filled and destroyed a thousand
 * times under seccomp's strict mode, in which any system call but read, write and exit kills.
 *
 * The first of them, before, have got their pages from the system.  Memory is not given back by age
 * meanwhile (decay_ms in the test's environment).
 */
#define _GNU_SOURCE
#include <buddyslab/heap.h>

#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum
{
    skipped = 77
};

static _Noreturn void leave(long status)
{
    syscall(SYS_exit, status);
    __builtin_unreachable();
}

static _Noreturn void fail(const char* what)
{
    if (write(STDERR_FILENO, what, strlen(what)) < 0)
        leave(2);
    leave(1);
}

static void request(unsigned flags)
{
    bsl_heap* heap = bsl_heap_create("request", flags, 0);
    if (heap == NULL)
        fail("no heap\n");
    for (size_t i = 1; i <= 100; ++i) {
        char* p = bsl_heap_alloc(heap, i * 10);
        if (p == NULL)
            fail("no memory\n");
        memset(p, 1, i * 10);
        if (i % 7 == 0)
            bsl_heap_free(heap, p);
    }
    for (size_t size = 2000; size <= 64000; size *= 2) {
        char* p = bsl_heap_alloc(heap, size);
        if (p == NULL)
            fail("no pages\n");
        memset(p, 1, size);
    }
    bsl_heap_destroy(heap);
}

int main(void)
{
    for (int i = 0; i < 100; ++i)
        request(i % 2 ? BSL_HEAP_ONE_THREAD : 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
        return skipped;
    for (int i = 0; i < 1000; ++i)
        request(i % 2 ? BSL_HEAP_ONE_THREAD : 0);
    leave(0);
}
