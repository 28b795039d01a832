/*
 * What every program in tests/preload, tests/misuse and tests/stress shares: a check that stops the
 * program with a message, proof that the library under test is the one that serves malloc, and the
 * few facts about the own process that several programs measure.
 *
 * The programs only use what any malloc offers, so they can be tried on another allocator: with
 * BUDDYSLAB_TEST_ANY_ALLOCATOR set, the proof and the checks that only this library promises
 * (is_library_under_test()) are left out.
 */
#ifndef BUDDYSLAB_TESTS_CHECK_H
#define BUDDYSLAB_TESTS_CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum
{
    KiB = 1024,
    MiB = 1024 * 1024
};

/* Says what is wrong and ends the process, without allocating anything. */
__attribute__((format(printf, 4, 5), noreturn)) static inline void
fail(const char* file, int line, const char* what, const char* format, ...)
{
    char text[2000];
    va_list arguments;
    va_start(arguments, format);
    size_t length = (size_t)snprintf(text, sizeof text / 2, "%s:%d: %s: ", file, line, what);
    vsnprintf(text + length, sizeof text - length - 1, format, arguments);
    va_end(arguments);
    strcat(text, "\n");
    ssize_t written = write(2, text, strlen(text));
    _exit(written < 0 ? 2 : 1);
}

#define FAIL(...) fail(__FILE__, __LINE__, "failed", __VA_ARGS__)

#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail(__FILE__, __LINE__, "not so: " #condition, __VA_ARGS__);                          \
    } while (0)

static inline int is_library_under_test(void)
{
    return getenv("BUDDYSLAB_TEST_ANY_ALLOCATOR") == NULL;
}

/* The file that the program's own references to malloc were bound to. */
static inline const char* malloc_provider(void)
{
    Dl_info where;
    if (!dladdr((void*)&malloc, &where) || !where.dli_fname)
        return "?";
    return where.dli_fname;
}

/*
 * An LD_PRELOAD that interposes nothing is silent, and every test would pass on glibc.  So each
 * program asks which file its malloc is bound to, and whether the memory is of this library's
 * classes: 112 is a multiple of 16, where glibc has 104.
 */
static inline void require_library(void)
{
    if (!is_library_under_test())
        return;
    CHECK(strstr(malloc_provider(), "libbuddyslab"), "malloc comes from %s", malloc_provider());
    void* p = malloc(100);
    CHECK(malloc_usable_size(p) == 112, "usable size of 100 bytes is %zu", malloc_usable_size(p));
    free(p);
}

/* A number of /proc/self/status or smaps_rollup in KiB, read without allocating. */
static inline long proc_kib(const char* path, const char* key)
{
    char text[4096];
    FILE* file = fopen(path, "re");
    long value = -1;
    CHECK(file, "%s: %s", path, strerror(errno));
    setvbuf(file, text, _IOFBF, sizeof text);
    char line[256];
    while (value < 0 && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0)
            value = strtol(line + strlen(key), NULL, 10);
    fclose(file);
    CHECK(value >= 0, "%s has no %s", path, key);
    return value;
}

/* smaps_rollup walks the page tables: status only sums counters that lag behind per CPU. */
static inline long rss_kib(void)
{
    return proc_kib("/proc/self/smaps_rollup", "Rss:");
}

/* splitmix64: a small generator whose state is one word, so a failed run is named by its seed. */
static inline uint64_t next_random(uint64_t* state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/*
 * A pattern that names its place: the word at offset i of a block is seed + i.  Blocks above 64 KiB
 * carry it at the start of every 512 bytes, which is enough to see a page lost or moved.
 */
static inline size_t pattern_step(size_t size)
{
    return size <= 64 * KiB ? sizeof(uint64_t) : 512;
}

static inline void fill_pattern(void* block, size_t size, uint64_t seed)
{
    char* bytes = (char*)block;
    for (size_t i = 0; i + sizeof seed <= size; i += pattern_step(size)) {
        uint64_t word = seed + i;
        memcpy(bytes + i, &word, sizeof word);
    }
}

/* Checks the first `size` bytes of a block filled as one of `filled` bytes. */
static inline void check_pattern(const void* block, size_t filled, size_t size, uint64_t seed)
{
    const char* bytes = (const char*)block;
    for (size_t i = 0; i + sizeof seed <= size; i += pattern_step(filled)) {
        uint64_t word;
        memcpy(&word, bytes + i, sizeof word);
        CHECK(word == seed + i, "%p of %zu bytes: at %zu %#lx instead of %#lx", block, filled, i,
              (unsigned long)(word), (unsigned long)(seed + i));
    }
}

#endif
