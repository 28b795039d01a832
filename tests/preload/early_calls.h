/*
 * An allocation from an ifunc resolver, for the program and its libraries alike.  A resolver runs
 * while ld.so still relocates: before any constructor, before the thread's TLS has its first
 * values, and in a library that is relocated before the allocator, before the allocator itself is.
 *
 * A resolver may only call what its own object has bound already.  So the ifunc is hidden, which
 * puts it last among the relocations, and the files are compiled with -fno-plt, which puts malloc
 * before it.
 */
#ifndef BUDDYSLAB_TESTS_EARLY_CALLS_H
#define BUDDYSLAB_TESTS_EARLY_CALLS_H

#include "check.h"

enum
{
    nr_early = 40
};

struct early_objects
{
    char* objects[nr_early];
    int filled;
};

static inline size_t early_size(int i)
{
    return (size_t)16 << (i % 20); /* 16 bytes to 8 MiB */
}

/* No CHECK in here: it would call functions of a libc that may not be bound yet. */
static inline void allocate_early(struct early_objects* early)
{
    for (int i = 0; i < nr_early; i++) {
        early->objects[i] = (char*)malloc(early_size(i));
        if (!early->objects[i])
            return;
        early->objects[i][0] = (char)i;
        if (i % 4 == 3) {
            free(early->objects[i]);
            early->objects[i] = (char*)calloc(1, early_size(i));
            early->objects[i][early_size(i) - 1] = 0;
            early->objects[i][0] = (char)i;
        }
        if (i % 8 == 5)
            early->objects[i] = (char*)realloc(early->objects[i], early_size(i) * 2);
    }
    early->filled = 1;
}

static inline void check_early(struct early_objects* early, const char* who)
{
    CHECK(early->filled, "%s: the early allocations failed", who);
    for (int i = 0; i < nr_early; i++) {
        CHECK(early->objects[i][0] == (char)i, "%s: content of object %d", who, i);
        CHECK(malloc_usable_size(early->objects[i]) >= early_size(i), "%s: size of %d", who, i);
        early->objects[i] = (char*)realloc(early->objects[i], early_size(i) + 5000);
        CHECK(early->objects[i] && early->objects[i][0] == (char)i, "%s: realloc of %d", who, i);
        free(early->objects[i]);
    }
}

#endif
