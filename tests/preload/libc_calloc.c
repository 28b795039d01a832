/* calloc() gives zeros, whatever was in the memory before and however it came back. */
#include "check.h"
#include <pthread.h>

static const size_t sizes[] = {
    1,         15,      16,      40,      64,          100,     256,      1000,     1024,
    1500,      4000,    4096,    5000,    9000,        20000,   32 * KiB, 50 * KiB, 64 * KiB,
    100 * KiB, 1 * MiB, 3 * MiB, 4 * MiB, 4 * MiB + 1, 6 * MiB, 9 * MiB,  33 * MiB, 70 * MiB};
enum
{
    nr_sizes = sizeof sizes / sizeof *sizes
};

static void check_zero(const unsigned char* p, size_t size, const char* what)
{
    CHECK(p, "%s: calloc of %zu bytes", what, size);
    if (size && (p[0] || memcmp(p, p + 1, size - 1)))
        FAIL("%s: calloc of %zu bytes at %p is not zero", what, size, (const void*)p);
}

static size_t how_many(size_t size)
{
    size_t count = 8 * MiB / (size + 1);
    return count > 300 ? 300 : count + 1;
}

/* Dirties and frees objects of one size; `keep` leaves every third alive to mix with. */
static void dirty(size_t size, void** kept, size_t* nr_kept)
{
    void* objects[301];
    size_t count = how_many(size);
    for (size_t i = 0; i < count; i++) {
        objects[i] = malloc(size);
        CHECK(objects[i], "malloc(%zu)", size);
        memset(objects[i], 0xa5, malloc_usable_size(objects[i]));
    }
    for (size_t i = 0; i < count; i++)
        if (i % 3 == 1 && *nr_kept < 512 && size < 64 * KiB)
            kept[(*nr_kept)++] = objects[i];
        else
            free(objects[i]);
}

static void zero_after_dirt_of_each_size(void)
{
    for (unsigned d = 0; d < nr_sizes; d++) {
        void* kept[512];
        size_t nr_kept = 0;
        dirty(sizes[d], kept, &nr_kept);
        unsigned first = d > 3 ? d - 3 : 0;
        for (unsigned c = first; c < nr_sizes && c < d + 4; c++) {
            void* objects[301];
            size_t count = how_many(sizes[c]);
            for (size_t i = 0; i < count; i++) {
                objects[i] = calloc(1, sizes[c]);
                check_zero(objects[i], sizes[c], "after dirt of about that size");
                memset(objects[i], 0x5a, malloc_usable_size(objects[i]));
            }
            for (size_t i = 0; i < count; i++)
                free(objects[i]);
        }
        while (nr_kept)
            free(kept[--nr_kept]);
    }
}

/* Memory that went back to the system, or never did, or is partly one and partly the other. */
static void zero_after_trim(void)
{
    for (int round = 0; round < 4; round++) {
        void* kept[512];
        size_t nr_kept = 0;
        for (unsigned d = 0; d < nr_sizes; d++)
            dirty(sizes[d], kept, &nr_kept);
        malloc_trim(0);
        for (unsigned c = 0; c < nr_sizes; c++) {
            void* p = calloc(sizes[c] % 4 ? 1 : 4, sizes[c] % 4 ? sizes[c] : sizes[c] / 4);
            check_zero(p, sizes[c], "after malloc_trim");
            memset(p, 0x5a, sizes[c]);
            free(p);
        }
        while (nr_kept)
            free(kept[--nr_kept]);
    }
}

/* A huge object that was grown and shrunk by realloc(): its frames have seen other places. */
static void zero_after_realloc(void)
{
    for (size_t size = 3 * MiB; size < 90 * MiB; size += size / 2) {
        char* p = malloc(size);
        memset(p, 0xa5, size);
        p = realloc(p, size * 2);
        CHECK(p, "realloc to %zu", size * 2);
        memset(p + size, 0xa5, size);
        p = realloc(p, size + size / 3);
        CHECK(p, "realloc down to %zu", size + size / 3);
        free(p);
        unsigned char* q = calloc(size / 8, 8);
        check_zero(q, size / 8 * 8, "after realloc of huge objects");
        free(q);
    }
}

static void* zero_in_thread(void* arg)
{
    uint64_t state = (uintptr_t)arg;
    for (int i = 0; i < 4000; i++) {
        size_t size = sizes[next_random(&state) % 20];
        void* dirt = malloc(size);
        memset(dirt, 0xa5, size);
        void* p = calloc(size, 1);
        check_zero(p, size, "in a thread");
        free(dirt);
        memset(p, 0x5a, size);
        free(p);
    }
    return NULL;
}

int main(void)
{
    require_library();
    zero_after_dirt_of_each_size();
    zero_after_trim();
    zero_after_realloc();
    pthread_t threads[4];
    for (uintptr_t i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, zero_in_thread, (void*)(i + 1)) == 0, "thread");
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
