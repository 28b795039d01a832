/*
 * Threads that allocate and free until told to stop: the company in which fork,
 * exec and exit are tried.  Each keeps a small table of live objects of mixed sizes, so at any
 * moment some thread is inside malloc or free, holding whatever locks there are.  They sleep now
 * and then: the thread under test would otherwise wait for a time slice at every step.
 */
#ifndef BUDDYSLAB_TESTS_BUSY_H
#define BUDDYSLAB_TESTS_BUSY_H

#include "check.h"
#include <pthread.h>
#include <stdatomic.h>

enum
{
    max_busy_threads = 16
};

struct busy_threads
{
    pthread_t threads[max_busy_threads];
    int count;
    atomic_int stop;
};

static inline size_t busy_size(uint64_t* state)
{
    uint64_t kind = next_random(state) % 1000;
    if (kind < 900)
        return next_random(state) % 1024;
    if (kind < 990)
        return next_random(state) % (32 * KiB);
    return next_random(state) % (kind < 999 ? 512 * KiB : 5 * MiB);
}

static inline void* busy_thread(void* arg)
{
    struct busy_threads* busy = (struct busy_threads*)arg;
    enum
    {
        slots = 200
    };
    char* objects[slots] = {0};
    size_t sizes[slots] = {0};
    uint64_t state = (uint64_t)(uintptr_t)&state;
    for (int step = 0; !atomic_load_explicit(&busy->stop, memory_order_relaxed); step++) {
        if (step % 64 == 0)
            usleep((unsigned)(next_random(&state) % 400));
        unsigned i = (unsigned)(next_random(&state) % slots);
        if (objects[i] && sizes[i])
            CHECK(objects[i][0] == (char)i, "object %u is not mine any more", i);
        free(objects[i]);
        sizes[i] = busy_size(&state);
        objects[i] = (char*)malloc(sizes[i]);
        if (objects[i] && sizes[i])
            objects[i][0] = (char)i;
    }
    for (int i = 0; i < slots; i++)
        free(objects[i]);
    return NULL;
}

static inline void start_busy_threads(struct busy_threads* busy, int count)
{
    busy->count = count;
    atomic_store(&busy->stop, 0);
    for (int i = 0; i < count; i++)
        CHECK(pthread_create(&busy->threads[i], NULL, busy_thread, busy) == 0, "thread %d", i);
}

static inline void stop_busy_threads(struct busy_threads* busy)
{
    atomic_store(&busy->stop, 1);
    for (int i = 0; i < busy->count; i++)
        pthread_join(busy->threads[i], NULL);
}

#endif
