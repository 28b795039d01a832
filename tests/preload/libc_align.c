/* Every size is 16-byte aligned and writable to its last usable byte; every alignment is kept. */
#include "check.h"

/* Sizes 0..5 MiB: all small ones, then ever coarser steps that are not multiples of anything. */
static size_t next_size(size_t size)
{
    return size < 4200 ? size + 1 : size + size / 37 + 13;
}

static void every_size(void)
{
    enum
    {
        kept = 64
    };
    static char* objects[kept];
    static size_t sizes[kept];
    unsigned n = 0;
    for (size_t size = 0; size <= 5 * MiB; size = next_size(size), n++) {
        char* p = malloc(size);
        CHECK(p && (uintptr_t)p % 16 == 0, "malloc(%zu) gave %p", size, (void*)p);
        size_t usable = malloc_usable_size(p);
        CHECK(usable >= size, "malloc(%zu) has %zu", size, usable);
        fill_pattern(p, usable, size);
        p[usable ? usable - 1 : 0] = (char)size;
        /* The neighbours stay alive meanwhile, so an overlap damages a pattern. */
        unsigned slot = n % kept;
        if (objects[slot]) {
            size_t whole = malloc_usable_size(objects[slot]);
            check_pattern(objects[slot], whole, whole - 8, sizes[slot]);
            free(objects[slot]);
        }
        objects[slot] = p;
        sizes[slot] = size;
    }
    for (unsigned slot = 0; slot < kept; slot++)
        free(objects[slot]);
}

static void* aligned(unsigned how, size_t alignment, size_t size)
{
    void* p = NULL;
    switch (how % 3) {
    case 0:
        return memalign(alignment, size);
    case 1:
        return aligned_alloc(alignment, size);
    default:
        CHECK(posix_memalign(&p, alignment, size) == 0, "posix_memalign(%zu, %zu)", alignment,
              size);
        return p;
    }
}

static void every_alignment(void)
{
    for (size_t alignment = 8; alignment <= 16 * MiB; alignment *= 2) {
        const size_t sizes[] = {
            0,    1, 17, alignment / 2 + 1, alignment - 1, alignment, alignment + 1, alignment * 3,
            40000};
        enum
        {
            count = sizeof sizes / sizeof *sizes
        };
        char* objects[count];
        for (unsigned i = 0; i < count; i++) {
            objects[i] = aligned(i, alignment, sizes[i]);
            CHECK(objects[i], "alignment %zu, size %zu", alignment, sizes[i]);
            CHECK((uintptr_t)objects[i] % alignment == 0, "alignment %zu, size %zu gave %p",
                  alignment, sizes[i], (void*)objects[i]);
            CHECK(malloc_usable_size(objects[i]) >= sizes[i], "alignment %zu, size %zu has %zu",
                  alignment, sizes[i], malloc_usable_size(objects[i]));
            fill_pattern(objects[i], malloc_usable_size(objects[i]), i);
        }
        for (unsigned i = 0; i < count; i++) {
            size_t usable = malloc_usable_size(objects[i]);
            check_pattern(objects[i], usable, usable, i);
            /* realloc() promises no alignment, but must find the object's start and size. */
            objects[i] = realloc(objects[i], usable + 100);
            CHECK(objects[i], "realloc of an aligned object");
            check_pattern(objects[i], usable, usable, i);
            free(objects[i]);
        }
    }
}

/* Many aligned objects at once: their padding must come back when they are freed. */
static void aligned_objects_do_not_leak(void)
{
    long before = rss_kib();
    for (int round = 0; round < 200; round++) {
        static void* objects[64];
        for (unsigned i = 0; i < 64; i++) {
            objects[i] = aligned(i, (size_t)64 << (i % 12), 3000 + i * 50);
            memset(objects[i], 1, 3000);
        }
        for (unsigned i = 0; i < 64; i++)
            free(objects[i]);
    }
    long growth = rss_kib() - before;
    CHECK(growth < 24 * KiB, "200 rounds of 64 aligned objects grew the process by %ld KiB",
          growth);
}

int main(void)
{
    require_library();
    every_size();
    every_alignment();
    aligned_objects_do_not_leak();
    return 0;
}
