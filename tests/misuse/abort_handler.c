/*
 * The handler of the SIGABRT that a mistake ends in allocates, as crash reporters do: it must get
 * memory, or be refused, but never wait for a lock that the aborting thread itself holds.
 */
#include "misuse.h"
#include <signal.h>
#include <unistd.h>

static void report_crash(int number)
{
    (void)number;
    free(malloc(64));
    free(malloc(1000));
    free(malloc(100 * KiB));
    signal(SIGABRT, SIG_DFL);
    raise(SIGABRT);
}

static void double_free_small(void)
{
    signal(SIGABRT, report_crash);
    alarm(20);
    char* volatile p = malloc(64);
    char* volatile other = malloc(64);
    expect_bug("free", p, "double free: object [0-9]+ of cache %s at %p is free already",
               cache_of(p), (void*)p);
    free(p);
    free(other);
    free(p);
    let_late_checks_find_it();
}

const struct misuse_case misuse_cases[] = {
    {"double_free_small", double_free_small},
    {NULL, NULL},
};
