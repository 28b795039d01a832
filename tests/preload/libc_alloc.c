/* The edges of the C allocation functions, as glibc's manual and source have them. */
#include "check.h"

/* Through volatile, so that the compiler neither sees nor warns of absurd sizes. */
static volatile size_t half = (size_t)PTRDIFF_MAX + 1;
static volatile size_t all = SIZE_MAX;
static volatile size_t zero = 0;

#define CHECK_ENOMEM(call)                                                                         \
    do {                                                                                           \
        errno = 0;                                                                                 \
        void* result = (call);                                                                     \
        CHECK(result == NULL && errno == ENOMEM, #call " gave %p, errno %d", result, errno);       \
    } while (0)

static void zero_sizes_are_objects(void)
{
    enum
    {
        count = 1000
    };
    static void* seen[count];
    for (int i = 0; i < count; i++) {
        seen[i] = i % 2 ? malloc(zero) : calloc(zero, 16);
        CHECK(seen[i], "object %d of no bytes", i);
        for (int j = 0; j < i; j++)
            CHECK(seen[i] != seen[j], "objects %d and %d are both at %p", i, j, seen[i]);
    }
    for (int i = 0; i < count; i++)
        free(seen[i]);
    CHECK(malloc_usable_size(NULL) == 0, "usable size of NULL");
}

static void free_keeps_errno(void)
{
    static const size_t sizes[] = {0, 24, 4000, 100 * KiB, 3 * MiB, 8 * MiB, 300 * MiB};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int round = 0; round < 100; round++) {
            void* p = malloc(sizes[i]);
            CHECK(p, "malloc(%zu)", sizes[i]);
            errno = 1234;
            free(p);
            CHECK(errno == 1234, "free of %zu bytes left errno %d", sizes[i], errno);
        }
    errno = 1234;
    free(NULL);
    CHECK(errno == 1234, "free(NULL) left errno %d", errno);
    free(malloc(40));
    CHECK(errno == 1234, "a malloc that succeeds left errno %d", errno);
}

static void too_much_is_enomem(void)
{
    CHECK_ENOMEM(malloc(half));
    CHECK_ENOMEM(malloc(all));
    CHECK_ENOMEM(malloc(all - 4095));
    CHECK_ENOMEM(malloc(half - 1));
    CHECK_ENOMEM(calloc(1, half));
    CHECK_ENOMEM(calloc(half, 1));
    CHECK_ENOMEM(realloc(NULL, half));
    CHECK_ENOMEM(reallocarray(NULL, 1, half));
    CHECK_ENOMEM(memalign(64, half));
    CHECK_ENOMEM(memalign(1 * MiB, half - 4096));
    CHECK_ENOMEM(memalign(64, all));
    CHECK_ENOMEM(aligned_alloc(16, half));
    CHECK_ENOMEM(aligned_alloc(4096, all - 4095));
    CHECK_ENOMEM(valloc(half));
    CHECK_ENOMEM(valloc(all));
    CHECK_ENOMEM(pvalloc(half));
}

static void products_that_overflow_are_enomem(void)
{
    CHECK_ENOMEM(calloc(all, 2));
    CHECK_ENOMEM(calloc(all / 2 + 2, 2));
    CHECK_ENOMEM(calloc(all >> 31, all >> 31));
    CHECK_ENOMEM(reallocarray(NULL, all / 8 + 1, 8));
    CHECK_ENOMEM(reallocarray(NULL, all >> 31, all >> 31));
    CHECK_ENOMEM(pvalloc(all)); /* the round up to a page overflows */
    CHECK_ENOMEM(pvalloc(all - 4000));
}

static void a_failed_realloc_leaves_the_object(void)
{
    static const size_t sizes[] = {40, 5000, 200 * KiB, 9 * MiB};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void* p = malloc(sizes[i]);
        fill_pattern(p, sizes[i], i);
        CHECK_ENOMEM(realloc(p, half));
        CHECK_ENOMEM(realloc(p, all));
        CHECK_ENOMEM(reallocarray(p, all / 2, 3));
        check_pattern(p, sizes[i], sizes[i], i);
        free(p);
    }
}

static void posix_memalign_refuses(void)
{
    static char untouched;
    static const size_t wrong[] = {0, 1, 2, 4, 3, 7, 9, 12, 24, 40, 48, 1000, 4095, 4097};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        void* out = &untouched;
        errno = 1234;
        int error = posix_memalign(&out, wrong[i], 64);
        CHECK(error == EINVAL, "alignment %zu gave %d", wrong[i], error);
        CHECK(out == &untouched, "alignment %zu wrote the result", wrong[i]);
        CHECK(errno == 1234, "alignment %zu left errno %d", wrong[i], errno);
    }
    void* out = &untouched;
    errno = 1234;
    CHECK(posix_memalign(&out, 64, half) == ENOMEM, "half of the address space");
    CHECK(posix_memalign(&out, half, 64) != 0, "alignment of half the address space");
    CHECK(out == &untouched, "the result was written though there is none");
    /* The manual says that errno is not set; glibc's own sets it here. */
    CHECK(errno == 1234 || errno == ENOMEM || errno == EINVAL, "errno %d", errno);
    CHECK(posix_memalign(&out, 8, zero) == 0, "no bytes");
    free(out);
}

/* memalign() rounds an alignment up to a power of two; aligned_alloc() did until glibc 2.38. */
static void odd_alignments(void)
{
    static const size_t odd[] = {0, 1, 3, 9, 24, 100, 5000};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        size_t rounded = 16;
        while (rounded < odd[i])
            rounded *= 2;
        char* p = memalign(odd[i], 200);
        CHECK(p, "memalign(%zu)", odd[i]);
        CHECK((uintptr_t)p % rounded == 0, "memalign(%zu) gave %p", odd[i], (void*)p);
        memset(p, 1, 200);
        free(p);
        errno = 0;
        p = aligned_alloc(odd[i], 200);
        CHECK(p || errno == EINVAL, "aligned_alloc(%zu): errno %d", odd[i], errno);
        free(p);
    }
}

static void page_functions(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t size = 0; size < 70000; size += 777) {
        char* v = valloc(size);
        char* w = pvalloc(size);
        CHECK(v && w, "valloc and pvalloc of %zu", size);
        CHECK((uintptr_t)v % page == 0 && (uintptr_t)w % page == 0, "%p %p", (void*)v, (void*)w);
        size_t whole = (size + page - 1) / page * page;
        CHECK(malloc_usable_size(w) >= whole, "pvalloc(%zu) has %zu", size, malloc_usable_size(w));
        memset(v, 1, size);
        memset(w, 2, whole);
        free(v);
        free(w);
    }
}

static void realloc_at_its_ends(void)
{
    char* p = realloc(NULL, 100);
    CHECK(p && malloc_usable_size(p) >= 100, "realloc(NULL, 100)");
    errno = 1234;
    CHECK(realloc(p, zero) == NULL, "realloc(p, 0) frees and returns NULL");
    CHECK(errno == 1234, "realloc(p, 0) left errno %d", errno);
    /* The object is free now: a leak would show as growth over many rounds. */
    long before = rss_kib();
    for (int i = 0; i < 3000; i++) {
        p = malloc(100 * KiB);
        memset(p, 1, 100 * KiB);
        CHECK(realloc(p, zero) == NULL, "round %d", i);
    }
    CHECK(rss_kib() - before < 20 * KiB, "realloc(p, 0) leaks: %ld KiB more", rss_kib() - before);
    p = realloc(NULL, zero);
    CHECK(p, "realloc(NULL, 0) is malloc(0)");
    free(p);
    p = reallocarray(NULL, 10, 10);
    CHECK(p, "reallocarray(NULL, 10, 10)");
    CHECK(reallocarray(p, 10, zero) == NULL, "reallocarray(p, 10, 0) frees");
}

int main(void)
{
    require_library();
    zero_sizes_are_objects();
    free_keeps_errno();
    too_much_is_enomem();
    products_that_overflow_are_enomem();
    a_failed_realloc_leaves_the_object();
    posix_memalign_refuses();
    odd_alignments();
    page_functions();
    realloc_at_its_ends();
    return 0;
}
