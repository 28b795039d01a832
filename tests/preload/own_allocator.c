/*
 * A program with an allocator of its own: it defines malloc and its family, over a static arena, as
 * many programs and language runtimes do.  Its definitions come before any preloaded ones, so libc
 * (getline, strdup, stdio) uses them, and the preloaded library sees a process whose heap is
 * another's.  It must not disturb it: at start, in threads, across fork, at exit.
 */
#include "child.h"
#include <pthread.h>

enum
{
    arena_size = 64 * MiB,
    header = 16
};

static _Alignas(4096) char arena[arena_size];
static size_t used;
static long frees;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int is_mine(const void* p)
{
    return (const char*)p >= arena && (const char*)p < arena + arena_size;
}

void* memalign(size_t alignment, size_t size)
{
    if (alignment < header)
        alignment = header;
    pthread_mutex_lock(&lock);
    size_t start = (used + header + alignment - 1) & ~(alignment - 1);
    void* p = NULL;
    if (size < arena_size && start + size <= arena_size) {
        p = arena + start;
        memcpy(arena + start - header, &size, sizeof size);
        used = start + size;
    }
    pthread_mutex_unlock(&lock);
    if (!p)
        errno = ENOMEM;
    return p;
}

void* malloc(size_t size)
{
    return memalign(header, size);
}

void free(void* p)
{
    if (!p)
        return;
    if (!is_mine(p))
        FAIL("the program's free got %p, which is not the program's", p);
    __atomic_fetch_add(&frees, 1, __ATOMIC_RELAXED);
}

size_t malloc_usable_size(void* p)
{
    size_t size = 0;
    if (p)
        memcpy(&size, (char*)p - header, sizeof size);
    return size;
}

void* calloc(size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        return NULL;
    return malloc(count * size); /* the arena is never reused, so it is zero */
}

void* realloc(void* p, size_t size)
{
    void* q = malloc(size);
    size_t old = malloc_usable_size(p);
    if (q && p)
        memcpy(q, p, old < size ? old : size);
    return q;
}

int posix_memalign(void** out, size_t alignment, size_t size)
{
    *out = memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}

void* aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

void* valloc(size_t size)
{
    return memalign(4096, size);
}

void* pvalloc(size_t size)
{
    return memalign(4096, size);
}

static void* use_libc(void* arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++) {
        char* copy = strdup("a word that libc copies");
        char* text = NULL;
        CHECK(asprintf(&text, "%s %d", copy, i) > 0, "asprintf");
        CHECK(is_mine(copy) && is_mine(text), "libc does not use the program's malloc");
        free(copy);
        free(text);
    }
    FILE* file = fopen("/proc/self/maps", "re");
    char* line = NULL;
    size_t room = 0;
    while (getline(&line, &room, file) > 0)
        CHECK(is_mine(line), "getline does not use the program's malloc");
    free(line);
    fclose(file);
    return NULL;
}

/* There is no require_library(): malloc is this program's.  That the library is there is seen. */
static void require_presence_of_library(void)
{
    if (is_library_under_test())
        CHECK(dlsym(RTLD_NEXT, "free_sized"), "the library is not preloaded");
}

int main(void)
{
    require_presence_of_library();
    use_libc(NULL);
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        CHECK(pthread_create(&threads[i], NULL, use_libc, NULL) == 0, "thread");
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(child_seconds);
            use_libc(NULL);
            exit(0);
        }
        expect_exit(child, 0, "child");
    }
    CHECK(frees > 1000, "only %ld frees came to the program's allocator", frees);
    return 0;
}
