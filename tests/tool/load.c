/*
 * A heap to look into: a part that never changes, and threads that change everything else as fast as
 * they can.  Tells on one line where things are, then works until its standard input ends.
 *
 *     load THREADS [protected]
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum
{
    kept_objects = 20000,
    kept_size = 2000, /* class 2048: the threads keep away from it */
    slots = 400,
    threads_max = 64,
};

static volatile int done;
static uint64_t operations[threads_max * 8];

static size_t next_size(uint32_t* seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    const uint32_t r = *seed >> 8;
    switch (r % 64) {
    case 0:
        return 40000 + r % 60000;
    case 1:
        return 5000 + r % 20000;
    default:
        return 16 + r % 1000;
    }
}

/* Also now and then a window, and batches that fill slabs and empty them. */
static void* work(void* argument)
{
    uint64_t* mine = argument;
    uint32_t seed = (uint32_t)(mine - operations) + 1;
    void* held[slots] = {0};
    while (!done) {
        for (int i = 0; i < 2000; i++) {
            void** slot = &held[(seed >> 10) % slots];
            free(*slot);
            *slot = malloc(next_size(&seed));
            memset(*slot, 1, 16);
        }
        *mine += 2000;
        if (seed >> 26 == 0) {
            char* window = malloc(5u << 20);
            memset(window, 1, 4096);
            free(window);
        }
    }
    for (int i = 0; i < slots; i++)
        free(held[i]);
    return NULL;
}

int main(int argc, char** argv)
{
    const int threads = argc > 1 ? atoi(argv[1]) : 0;
    if (argc > 2 && strcmp(argv[2], "protected") == 0)
        prctl(PR_SET_DUMPABLE, 0);
    static char* kept[kept_objects];
    for (int i = 0; i < kept_objects; i++)
        kept[i] = memset(malloc(kept_size), 1, kept_size);
    char* freed = malloc(3000); /* class 3072 */
    char* large = malloc(1 << 20);
    char* window = memset(malloc(9 << 20), 1, 9 << 20);
    char* old_window = malloc(30 << 20);
    void* run = NULL;
    if (posix_memalign(&run, 1 << 18, 20 << 10) != 0)
        return 1;
    free(freed);
    free(old_window);
    pthread_t all[threads_max];
    for (int i = 0; i < threads; i++)
        pthread_create(&all[i], NULL, work, &operations[i * 8]);
    printf("{\"pid\": %d, \"object\": %ld, \"freed\": %ld, \"large\": %ld, \"window\": %ld, "
           "\"old_window\": %ld, \"run\": %ld, \"stack\": %ld, \"operations\": %ld}\n",
           getpid(), (long)kept[77], (long)freed, (long)large, (long)window, (long)old_window,
           (long)run, (long)all, (long)operations);
    fflush(stdout);
    char end;
    while (read(STDIN_FILENO, &end, 1) > 0) {
    }
    done = 1;
    uint64_t sum = 0;
    for (int i = 0; i < threads; i++) {
        pthread_join(all[i], NULL);
        sum += operations[i * 8];
    }
    printf("%llu\n", (unsigned long long)sum);
    return 0;
}
