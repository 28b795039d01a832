/*
 * Misuse of the heap: one function per mistake, and the one line that the library must print.
 *
 * Each case runs in a fresh process of its own (misuse.c): it says first which line it expects,
 * then makes the mistake, and must not live on.  The process must end by SIGABRT, and standard
 * error must hold the expected line, whole, and nothing else.
 */
#ifndef BUDDYSLAB_TESTS_MISUSE_H
#define BUDDYSLAB_TESTS_MISUSE_H

#include "check.h"

struct misuse_case
{
    const char* name;
    void (*run)(void);
};

/* The cases of this program, up to one without a name; each program defines its own. */
extern const struct misuse_case misuse_cases[];

/*
 * States the line: `entry` is the entry point that notices (a regular expression: free, realloc,
 * or either), `p` its argument; then the rest of the line, an extended regular expression made by
 * printf.  Made out of band, so that nothing of it can be mistaken for the library's output.
 */
__attribute__((format(printf, 3, 4))) void expect_bug(const char* entry, const void* p,
                                                      const char* format, ...);

/* Whether BUDDYSLAB=slab_debug=F is on: then every mistake must be noticed by the very call. */
int checks_each_free(void);

/*
 * What may be needed for the library to notice a mistake with a small object.  Ends the case: with
 * full checks the line must have come before.
 */
void let_late_checks_find_it(void);

/* The name of the cache that serves this object, by malloc_usable_size(), which it rounds up: kmalloc-64k. */
const char* cache_of(void* p);

#endif
