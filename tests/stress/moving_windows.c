/*
 * Windows that move, which leaves holes in the address space, while other threads make windows that fit there: what a
 * move leaves behind must not be disowned once it is another thread's.
 */
#include "check.h"
#include <pthread.h>
#include <time.h>

static _Atomic int ends;

static void* move(void* unused)
{
    while (!ends) {
        char* p = malloc(40 * MiB);
        CHECK(p, "malloc of 40 MiB");
        for (size_t at = 0; at < 40 * MiB; at += 4096)
            p[at] = 1;
        p = realloc(p, 200 * MiB);
        CHECK(p && p[39 * MiB] == 1, "realloc to 200 MiB");
        free(p);
    }
    return unused;
}

static void* fill_holes(void* unused)
{
    for (unsigned i = 0; !ends; i++) {
        size_t size = (5 + i % 8) * MiB;
        char* p = malloc(size);
        CHECK(p, "malloc of %zu", size);
        CHECK(malloc_usable_size(p) >= size, "usable size");
        p[0] = p[size - 1] = 1;
        free(p);
    }
    return unused;
}

int main(int argc, char** argv)
{
    require_library();
    const unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 2;
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, i == 0 ? move : fill_holes, NULL) == 0, "thread");
    sleep(seconds);
    ends = 1;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
