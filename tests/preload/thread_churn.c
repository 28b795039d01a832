/*
 * Threads come and go, 2000 a round, round after round, and the process stays as large as it was
 * after the first rounds.  Some leave objects behind that other threads free later, which is how a
 * heap of a dead thread is lost.  Usage: thread_churn [all-keys]: with it, the program first takes
 * every pthread key there is, so that an allocator that still wanted one gets none.
 */
#include "check.h"
#include <pthread.h>

enum
{
    threads_per_round = 2000,
    at_once = 20,
    rounds = 5,
    nr_left = 50
};

/* What each running thread leaves for the next batch to free. */
static void* left_behind[at_once][nr_left];

static void use_heap(uint64_t* state)
{
    enum
    {
        count = 60
    };
    void* objects[count];
    for (int i = 0; i < count; i++) {
        size_t size = (size_t)1 << (4 + next_random(state) % 13);
        objects[i] = malloc(size + next_random(state) % size);
        CHECK(objects[i], "malloc in a thread");
        memset(objects[i], 1, size < 4096 ? size : 4096);
    }
    for (int i = 0; i < count; i++)
        free(objects[i]);
}

static void* churn(void* arg)
{
    void** left = arg;
    uint64_t state = (uint64_t)(uintptr_t)arg + (uint64_t)left[0];
    use_heap(&state);
    for (int i = 0; i < nr_left; i++) {
        free(left[i]); /* of a thread that is gone */
        size_t size = 40 + next_random(&state) % 3000;
        left[i] = malloc(size);
        memset(left[i], 1, size);
    }
    return NULL;
}

/* A thread that only frees: its heap receives what it never gave out. */
static void* only_free(void* arg)
{
    void** left = arg;
    for (int i = 0; i < nr_left; i++) {
        free(left[i]);
        left[i] = NULL;
    }
    return NULL;
}

static void one_round(void)
{
    for (int i = 0; i < threads_per_round; i += at_once) {
        pthread_t threads[at_once];
        for (int j = 0; j < at_once; j++) {
            void* (*body)(void*) = (i / at_once + j) % 5 == 4 ? only_free : churn;
            int error = pthread_create(&threads[j], NULL, body, left_behind[j]);
            CHECK(error == 0, "pthread_create: %s", strerror(error));
        }
        for (int j = 0; j < at_once; j++)
            pthread_join(threads[j], NULL);
    }
}

int main(int argc, char** argv)
{
    require_library();
    if (argc > 1 && strcmp(argv[1], "all-keys") == 0) {
        pthread_key_t key;
        while (pthread_key_create(&key, NULL) == 0)
            continue;
    }
    one_round();
    one_round();
    long before = rss_kib();
    for (int i = 2; i < rounds; i++)
        one_round();
    long growth = rss_kib() - before;
    CHECK(growth < 3 * KiB, "%d threads grew the process by %ld KiB",
          (rounds - 2) * threads_per_round, growth);
    for (int i = 0; i < at_once; i++)
        only_free(left_behind[i]);
    return 0;
}
