/* realloc() keeps what was there, growing and shrinking, through every range of sizes. */
#include "check.h"

static void* resize(void* p, size_t from, size_t to, uint64_t seed)
{
    void* q = realloc(p, to);
    CHECK(q, "realloc from %zu to %zu: %s", from, to, strerror(errno));
    CHECK((uintptr_t)q % 16 == 0, "realloc from %zu to %zu gave %p", from, to, q);
    CHECK(malloc_usable_size(q) >= to, "realloc to %zu has %zu", to, malloc_usable_size(q));
    check_pattern(q, from, from < to ? from : to, seed);
    fill_pattern(q, to, seed);
    return q;
}

static void by_steps(size_t low, size_t high, double factor)
{
    uint64_t seed = low * 31 + high;
    void* p = malloc(low);
    fill_pattern(p, low, seed);
    size_t size = low;
    while (size < high) {
        size_t next = (size_t)((double)size * factor) + 8;
        p = resize(p, size, next, seed);
        size = next;
    }
    while (size > low) {
        size_t next = (size_t)((double)size / factor);
        p = resize(p, size, next, seed);
        size = next;
    }
    free(p);
}

static void* place(uint64_t* state, size_t* size)
{
    *size = (size_t)1 << (next_random(state) % 24);
    *size += next_random(state) % *size;
    void* p = malloc(*size);
    CHECK(p, "malloc(%zu)", *size);
    return p;
}

/* Several objects at once jump between sizes: growth in place must stop at a living neighbour. */
static void by_jumps(uint64_t seed)
{
    enum
    {
        count = 24,
        jumps = 3000
    };
    void* objects[count];
    size_t sizes[count];
    uint64_t state = seed;
    for (unsigned i = 0; i < count; i++) {
        objects[i] = place(&state, &sizes[i]);
        fill_pattern(objects[i], sizes[i], i);
    }
    for (int jump = 0; jump < jumps; jump++) {
        unsigned i = (unsigned)(next_random(&state) % count);
        size_t size = (size_t)1 << (next_random(&state) % 24);
        size += next_random(&state) % size;
        objects[i] = resize(objects[i], sizes[i], size, i);
        sizes[i] = size;
    }
    for (unsigned i = 0; i < count; i++) {
        check_pattern(objects[i], sizes[i], sizes[i], i);
        free(objects[i]);
    }
}

/* One byte more each time, as a program does that reads a line: every class boundary is crossed. */
static void byte_by_byte(void)
{
    char* p = NULL;
    for (size_t size = 1; size <= 12000; size++) {
        p = realloc(p, size);
        CHECK(p, "realloc to %zu", size);
        p[size - 1] = (char)(size * 7);
    }
    for (size_t size = 12000; size > 0; size--) {
        CHECK(p[size - 1] == (char)(size * 7), "byte %zu", size - 1);
        p = realloc(p, size);
        CHECK(p, "realloc down to %zu", size);
    }
    free(p);
}

int main(void)
{
    require_library();
    byte_by_byte();
    by_steps(1, 70 * KiB, 1.09);
    by_steps(1000, 3 * MiB, 1.31);
    by_steps(1 * MiB, 24 * MiB, 1.13);
    by_steps(1 * MiB, (size_t)1024 * MiB, 2.0);
    by_jumps(1);
    by_jumps(2);
    return 0;
}
