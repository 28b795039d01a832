/*
 * What looks like misuse and is not: pointers at the edges of pages and classes, freed by other
 * threads, in any order, resized and trimmed between.  With full checks or without, nothing is
 * printed and nothing ends.  Standard error is a file that must stay empty.
 */
#include "check.h"
#include <pthread.h>
#include <sys/mman.h>

enum
{
    nr_objects = 4000,
    nr_threads = 4
};

static void* objects[nr_threads][nr_objects];

static void* make(void* arg)
{
    void** mine = arg;
    uint64_t state = (uint64_t)(uintptr_t)arg;
    for (int i = 0; i < nr_objects; i++) {
        size_t size = next_random(&state) % (i % 40 ? 600 : 400 * KiB);
        if (i % 7 == 0)
            CHECK(posix_memalign(&mine[i], (size_t)16 << (i % 10), size) == 0, "posix_memalign");
        else
            mine[i] = i % 3 ? malloc(size) : calloc(1, size);
        if (i % 5 == 0)
            mine[i] = realloc(mine[i], size * 2 + 1);
    }
    return NULL;
}

static void* drop(void* arg)
{
    void** theirs = arg;
    for (int step = 0; step < 2; step++)
        for (int i = step; i < nr_objects; i += 2)
            free(theirs[i]);
    return NULL;
}

static void run(void* (*body)(void*), int shift)
{
    pthread_t threads[nr_threads];
    for (int i = 0; i < nr_threads; i++)
        CHECK(pthread_create(&threads[i], NULL, body, objects[(i + shift) % nr_threads]) == 0,
              "thread");
    for (int i = 0; i < nr_threads; i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    require_library();
    int saved = dup(2), file = memfd_create("stderr", MFD_CLOEXEC);
    CHECK(saved >= 0 && file >= 0, "%s", strerror(errno));
    dup2(file, 2);
    for (int round = 0; round < 5; round++) {
        run(make, 0);
        run(drop, round);
        malloc_trim(0);
    }
    dup2(saved, 2);
    char text[4000] = "";
    CHECK(pread(file, text, sizeof text - 1, 0) == 0, "printed: %s", text);
    return 0;
}
