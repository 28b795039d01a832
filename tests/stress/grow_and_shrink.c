/*
 * Load that swells and ebbs: threads fill a large table with objects of one size after another, and
 * empty it again, so that pages travel from class to class and from thread to thread.  The process
 * must not become larger with each tide, and must be small after the last.
 * Usage: grow_and_shrink seconds
 */
#include "check.h"
#include <pthread.h>
#include <time.h>

enum
{
    nr_threads = 4,
    bytes_per_thread = 24 * MiB,
    max_objects = 400 * 1000,
    allowed_kib = 40 * KiB /* after malloc_trim, of some 100 MiB at high tide */
};

static const size_t sizes[] = {64,      5000, 200,       40 * KiB, 16,
                               1 * MiB, 1024, 300 * KiB, 6 * MiB,  2000};
enum
{
    nr_sizes = sizeof sizes / sizeof *sizes
};

struct tide
{
    pthread_barrier_t turn;
    void** tables[nr_threads];
    size_t size;
    int over;
};

struct worker
{
    struct tide* tide;
    int number;
    pthread_t thread;
};

static size_t count_of(size_t size)
{
    size_t count = bytes_per_thread / size;
    return count < max_objects ? count : max_objects;
}

static void fill(void** table, size_t size, uint64_t seed)
{
    for (size_t i = 0; i < count_of(size); i++) {
        table[i] = malloc(size);
        CHECK(table[i], "malloc(%zu)", size);
        fill_pattern(table[i], size, seed + i);
    }
}

/* In an order that is not the one in which they were made. */
static void empty(void** table, size_t size, uint64_t seed)
{
    for (int step = 0; step < 3; step++)
        for (size_t i = (size_t)step; i < count_of(size); i += 3) {
            check_pattern(table[i], size, size, seed + i);
            free(table[i]);
        }
}

/* Every thread fills its table and empties its neighbour's. */
static void* work(void* arg)
{
    struct worker* worker = arg;
    struct tide* tide = worker->tide;
    int neighbour = (worker->number + 1) % nr_threads;
    for (;;) {
        pthread_barrier_wait(&tide->turn);
        if (tide->over)
            return NULL;
        fill(tide->tables[worker->number], tide->size, (uint64_t)worker->number);
        pthread_barrier_wait(&tide->turn);
        empty(tide->tables[neighbour], tide->size, (uint64_t)neighbour);
        pthread_barrier_wait(&tide->turn);
    }
}

/* Returns the resident KiB at the high tide. */
static long one_tide(struct tide* tide, size_t size)
{
    tide->size = size;
    pthread_barrier_wait(&tide->turn);
    pthread_barrier_wait(&tide->turn);
    long high = rss_kib();
    pthread_barrier_wait(&tide->turn);
    return high;
}

int main(int argc, char** argv)
{
    require_library();
    CHECK(argc == 2, "usage: grow_and_shrink seconds");
    time_t end = time(NULL) + atoi(argv[1]);
    static struct tide tide;
    struct worker workers[nr_threads];
    long before = rss_kib();
    pthread_barrier_init(&tide.turn, NULL, nr_threads + 1);
    for (int i = 0; i < nr_threads; i++) {
        tide.tables[i] = calloc(max_objects, sizeof(void*));
        workers[i] = (struct worker){.tide = &tide, .number = i};
        CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0, "thread %d", i);
    }
    long first[nr_sizes] = {0};
    for (int i = 0; i < nr_sizes * 2 || time(NULL) < end; i++) {
        long high = one_tide(&tide, sizes[i % nr_sizes]);
        long* highest = &first[i % nr_sizes];
        /* The first two rounds leave behind what a process keeps in its caches. */
        CHECK(i < nr_sizes * 2 || high < *highest * 3 / 2 + 8 * KiB,
              "objects of %zu bytes: %ld KiB at first, now %ld", sizes[i % nr_sizes], *highest,
              high);
        if (i < nr_sizes * 2 && high > *highest)
            *highest = high;
    }
    tide.over = 1;
    pthread_barrier_wait(&tide.turn);
    for (int i = 0; i < nr_threads; i++) {
        pthread_join(workers[i].thread, NULL);
        free(tide.tables[i]);
    }
    malloc_trim(0);
    CHECK(rss_kib() - before < allowed_kib, "%ld KiB remain", rss_kib() - before);
    return 0;
}
