/*
 * A program with an arena of its own beside malloc, and a free of its own that tells by the address
 * whose object it is.  malloc must never return memory inside the arena, and its objects must be
 * found by address wherever they lie.  The arena is in static memory, on a stack, and in a mapping.
 */
#include "check.h"
#include <sys/mman.h>

struct own_arena
{
    char* start;
    size_t size;
    size_t used;
};

static int holds(const struct own_arena* arena, const void* p)
{
    return (const char*)p >= arena->start && (const char*)p < arena->start + arena->size;
}

static void* own_alloc(struct own_arena* arena, size_t size)
{
    size_t whole = (size + 15) / 16 * 16;
    if (whole > arena->size - arena->used) {
        void* p = malloc(size);
        CHECK(p && !holds(arena, p), "malloc gave memory of the arena");
        return p;
    }
    arena->used += whole;
    return arena->start + arena->used - whole;
}

static void own_free(struct own_arena* arena, void* p)
{
    if (!holds(arena, p))
        free(p);
}

static void use(struct own_arena* arena)
{
    enum
    {
        count = 3000
    };
    static void* objects[count];
    static size_t sizes[count];
    uint64_t state = 1;
    for (int i = 0; i < count; i++) {
        sizes[i] = next_random(&state) % (i % 100 ? 2000 : 6 * MiB) + 8;
        objects[i] = own_alloc(arena, sizes[i]);
        fill_pattern(objects[i], sizes[i], (uint64_t)i);
    }
    for (int i = 0; i < count; i++) {
        check_pattern(objects[i], sizes[i], sizes[i], (uint64_t)i);
        own_free(arena, objects[i]);
    }
}

int main(void)
{
    require_library();
    static char in_static_memory[1 * MiB];
    char on_the_stack[256 * KiB];
    size_t size = 4 * MiB;
    char* mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mapped != MAP_FAILED, "%s", strerror(errno));
    use(&(struct own_arena){in_static_memory, sizeof in_static_memory, 0});
    use(&(struct own_arena){on_the_stack, sizeof on_the_stack, 0});
    use(&(struct own_arena){mapped, size, 0});
    munmap(mapped, size);
    use(&(struct own_arena){in_static_memory, 0, 0});
    return 0;
}
