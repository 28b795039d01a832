/*
 * A crowd: many threads come, allocate a burst of one size, and stay idle with what their caches
 * hold, while others come and go, so that the room a thread has changes under those who are busy.
 * Then everything is trimmed, and nothing may be lost, doubled or overwritten.
 * Usage: crowd rounds
 */
#include "check.h"
#include <malloc.h>
#include <pthread.h>

enum
{
    nr_threads = 200,
    nr_objects = 2000,
    object_size = 256
};

static void* burst(void* arg)
{
    size_t number = (size_t)arg;
    static __thread unsigned char* objects[nr_objects];
    for (int i = 0; i < nr_objects; i++) {
        objects[i] = malloc(object_size);
        memset(objects[i], (int)(number & 0xff), object_size);
    }
    for (int i = 0; i < nr_objects; i++) {
        for (int j = 0; j < object_size; j++)
            CHECK(objects[i][j] == (number & 0xff), "an object of thread %zu has changed", number);
        free(objects[i]);
    }
    return NULL;
}

int main(int argc, char** argv)
{
    require_library();
    CHECK(argc == 2, "usage: crowd rounds");
    for (long round = strtol(argv[1], NULL, 10); round > 0; round--) {
        pthread_t threads[nr_threads];
        for (size_t i = 0; i < nr_threads; i++)
            CHECK(pthread_create(&threads[i], NULL, burst, (void*)(i + 1)) == 0, "pthread_create");
        malloc_trim(0); /* takes from those who run just now */
        for (size_t i = 0; i < nr_threads; i++)
            CHECK(pthread_join(threads[i], NULL) == 0, "pthread_join");
        malloc_trim(0);
    }
    return 0;
}
