/*
 * What glibc lets a program ask and tell its malloc: mallinfo, mallinfo2, malloc_trim, mallopt,
 * malloc_stats, malloc_info.  The answers must be about this heap, not about the one glibc keeps
 * beside it: each is compared with what the program did.
 */
#include "check.h"
#include <pthread.h>
#include <sys/mman.h>

enum
{
    object_size = 1000,
    nr_objects = 32 * 1000
};
static char* objects[nr_objects];

static void allocate_objects(void)
{
    for (int i = 0; i < nr_objects; i++) {
        objects[i] = malloc(object_size);
        memset(objects[i], 1, object_size);
    }
}

static void free_objects(void)
{
    for (int i = 0; i < nr_objects; i++)
        free(objects[i]);
}

/* Bytes in use, where glibc counts objects of its own mmap() apart. */
static size_t in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* `what` bytes may look as 2 % less, for rounding, and as 12 % more, for the classes of sizes. */
static void check_about(size_t seen, size_t what, const char* where)
{
    CHECK(seen >= what - what / 50 && seen <= what + what / 8, "%s: %zu for %zu", where, seen,
          what);
}

static void mallinfo_counts_what_is_allocated(void)
{
    size_t start = in_use();
    allocate_objects();
    size_t small = in_use();
    check_about(small - start, (size_t)nr_objects * object_size, "small objects");
    CHECK((size_t)(unsigned)mallinfo().uordblks == mallinfo2().uordblks, "mallinfo and mallinfo2");

    char* large = malloc(3 * MiB);
    char* huge = malloc(64 * MiB);
    check_about(in_use() - small, 67 * MiB, "large and huge objects");
    struct mallinfo2 info = mallinfo2();
    CHECK(info.arena + info.hblkhd >= info.uordblks, "more in use than there is");
    CHECK(info.arena >= info.uordblks || info.hblkhd, "arena %zu, in use %zu", info.arena,
          info.uordblks);
    CHECK(info.fordblks <= info.arena, "more free than there is");
    free(huge);
    free(large);
    free_objects();
    CHECK(in_use() < start + 2 * MiB, "all is free, yet %zu more in use", in_use() - start);
}

static long rss_of_objects(long before)
{
    return rss_kib() - before;
}

static void trim_gives_memory_back(void)
{
    malloc_trim(0);
    long before = rss_kib();
    allocate_objects();
    CHECK(rss_of_objects(before) > 28 * KiB, "only %ld KiB were made", rss_of_objects(before));
    free_objects();
    long freed = rss_of_objects(before);
    int released = malloc_trim(0);
    long trimmed = rss_of_objects(before);
    CHECK(released == 0 || released == 1, "malloc_trim returned %d", released);
    CHECK(released == 1 || freed - trimmed < 64, "%ld KiB were released, but it returned 0",
          freed - trimmed);
    CHECK(trimmed < 2 * KiB, "%ld KiB remain after malloc_trim", trimmed);

    /* With nothing left to give, it says so.  glibc's returns 1 whenever there are free pages. */
    int again = 1;
    for (int i = 0; again && i < 3; i++)
        again = malloc_trim(0);
    CHECK(again == 0 || !is_library_under_test(), "malloc_trim always returns 1");
}

/* One object in 64 stays, so that hardly any run of pages is free: only the holes can go back. */
static void trim_gives_back_holes(void)
{
    enum
    {
        count = 64 * 1000,
        size = 512
    };
    static char* small[count];
    malloc_trim(0);
    long before = rss_kib();
    for (int i = 0; i < count; i++) {
        small[i] = malloc(size);
        memset(small[i], 1, size);
    }
    long full = rss_of_objects(before);
    for (int i = 0; i < count; i++)
        if (i % 64)
            free(small[i]);
    malloc_trim(0);
    long holes = rss_of_objects(before);
    CHECK(holes < full * 4 / 10, "%ld of %ld KiB remain with 1 of 64 objects", holes, full);
    for (int i = 0; i < count; i += 64) {
        CHECK(small[i][0] == 1 && small[i][size - 1] == 1, "object %d lost its content", i);
        free(small[i]);
    }
}

struct idler
{
    pthread_barrier_t idle, done;
};

static void* idle_with_full_caches(void* arg)
{
    struct idler* idler = arg;
    for (size_t size = 16; size <= 64 * KiB; size *= 2) {
        void* held[2000];
        size_t count = 1 * MiB / size < 2000 ? 1 * MiB / size : 2000;
        for (size_t i = 0; i < count; i++) {
            held[i] = malloc(size);
            memset(held[i], 1, size);
        }
        for (size_t i = 0; i < count; i++)
            free(held[i]);
    }
    pthread_barrier_wait(&idler->idle);
    pthread_barrier_wait(&idler->done);
    return NULL;
}

/* What an idle thread holds for its next malloc() can be given back by another; not so in glibc. */
static void trim_reaches_other_threads(void)
{
    enum
    {
        count = 8
    };
    struct idler idler;
    pthread_t threads[count];
    pthread_barrier_init(&idler.idle, NULL, count + 1);
    pthread_barrier_init(&idler.done, NULL, count + 1);
    malloc_trim(0);
    long before = rss_kib();
    for (int i = 0; i < count; i++)
        CHECK(pthread_create(&threads[i], NULL, idle_with_full_caches, &idler) == 0, "thread");
    pthread_barrier_wait(&idler.idle);
    malloc_trim(0);
    long idle = rss_of_objects(before);
    /* Their stacks and the head of each thread's heap stay. */
    if (is_library_under_test())
        CHECK(idle < 2 * KiB, "%ld KiB remain with %d idle threads", idle, count);
    pthread_barrier_wait(&idler.done);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

/* glibc takes nearly everything for well; this library says 1 only of what it does. */
static void mallopt_tells_what_is_done(void)
{
    static const struct
    {
        int parameter, value, in_glibc, here;
    } cases[] = {
        {M_TRIM_THRESHOLD, 128 * KiB, 1, 1},
        {M_TRIM_THRESHOLD, -1, 1, 1},
        {M_ARENA_TEST, 2, 1, 1},
        {M_ARENA_MAX, 2, 1, 1},
        {M_CHECK_ACTION, 3, 1, 1},
        {M_CHECK_ACTION, 0, 1, 0},
        {M_PERTURB, 0, 1, 1},
        {M_PERTURB, 0xaa, 1, 0},
        {M_TOP_PAD, 64 * KiB, 1, 0},
        {M_MMAP_THRESHOLD, 256 * KiB, 1, 0},
        {M_MMAP_MAX, 1000, 1, 0},
        {M_MXFAST, 64, 1, 0},
        {M_MXFAST, 1000, 0, 0},
        {-1000, 1, 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int expected = is_library_under_test() ? cases[i].here : cases[i].in_glibc;
        int result = mallopt(cases[i].parameter, cases[i].value);
        CHECK(result == expected, "mallopt(%d, %d) is %d", cases[i].parameter, cases[i].value,
              result);
    }
}

/* With a threshold of nothing, what is freed is given back at once. */
static void trim_threshold_is_obeyed(void)
{
    mallopt(M_TRIM_THRESHOLD, 0);
    malloc_trim(0);
    long before = rss_kib();
    allocate_objects();
    free_objects();
    if (is_library_under_test())
        CHECK(rss_of_objects(before) < 2 * KiB, "%ld KiB remain", rss_of_objects(before));
    mallopt(M_TRIM_THRESHOLD, 128 * KiB);
}

/* Runs malloc_stats() with standard error in a file of memory, and returns its text. */
static char* text_of_stats(void)
{
    int file = memfd_create("stats", MFD_CLOEXEC);
    int saved = dup(2);
    CHECK(file >= 0 && saved >= 0, "memfd and dup: %s", strerror(errno));
    dup2(file, 2);
    malloc_stats();
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
    static char text[64 * KiB];
    ssize_t length = pread(file, text, sizeof text - 1, 0);
    close(file);
    CHECK(length > 0, "malloc_stats printed nothing");
    return text;
}

/* The last value of a line "system bytes     =     135168". */
static unsigned long last_value(const char* text, const char* name)
{
    unsigned long value = 0;
    int found = 0;
    for (const char* at = text; (at = strstr(at, name)); at++) {
        const char* sign = at + strlen(name) + strspn(at + strlen(name), " ");
        CHECK(*sign == '=', "after '%s' comes '%c'", name, *sign);
        value = strtoul(sign + 1, NULL, 10);
        found = 1;
    }
    CHECK(found, "malloc_stats does not print '%s'", name);
    return value;
}

static void stats_are_about_this_heap(void)
{
    allocate_objects();
    const char* text = text_of_stats();
    unsigned long system = last_value(text, "system bytes");
    unsigned long in_use_bytes = last_value(text, "in use bytes");
    CHECK(in_use_bytes >= (unsigned long)nr_objects * object_size, "in use: %lu", in_use_bytes);
    CHECK(system >= in_use_bytes, "system %lu, in use %lu", system, in_use_bytes);
    free_objects();
}

/*
 * Reads one element and what is in it: <name attribute="value" …> … </name> or <name …/>.
 * Returns where it ends.  Good for the XML that malloc_info() prints, which has no text.
 */
static const char* read_element(const char* at)
{
    CHECK(*at == '<', "an element begins with '%.20s'", at);
    const char* name = ++at;
    size_t length = strcspn(name, " />\n\t");
    CHECK(length > 0, "an element without a name");
    at += length;
    for (;;) {
        at += strspn(at, " \n\t");
        if (*at == '/' || *at == '>')
            break;
        at += strcspn(at, "=<>/ ");
        CHECK(at[0] == '=' && at[1] == '"', "in <%.*s: '%.20s'", (int)length, name, at);
        at += 2 + strcspn(at + 2, "\"<");
        CHECK(*at == '"', "a value that does not end: '%.20s'", at);
        at++;
    }
    if (*at == '/') {
        CHECK(at[1] == '>', "'%.20s'", at);
        return at + 2;
    }
    for (at++;;) {
        at += strspn(at, " \n\t");
        if (strncmp(at, "</", 2) == 0)
            break;
        at = read_element(at);
    }
    CHECK(strncmp(at + 2, name, length) == 0 && at[2 + length] == '>', "<%.*s> ends with '%.20s'",
          (int)length, name, at);
    return at + 3 + length;
}

static void malloc_info_is_xml(void)
{
    static char text[256 * KiB];
    allocate_objects();
    FILE* file = fmemopen(text, sizeof text, "w");
    CHECK(file, "fmemopen");
    CHECK(malloc_info(1, file) == EINVAL, "malloc_info takes no options");
    CHECK(malloc_info(0, file) == 0, "malloc_info");
    CHECK(fclose(file) == 0, "%s", strerror(errno));
    CHECK(strncmp(text, "<malloc version=\"1\"", 19) == 0, "begins with '%.30s'", text);
    const char* end = read_element(text);
    CHECK(end[strspn(end, " \n")] == '\0', "after the element: '%.30s'", end);
    free_objects();
}

int main(void)
{
    require_library();
    mallinfo_counts_what_is_allocated();
    trim_gives_memory_back();
    trim_gives_back_holes();
    trim_reaches_other_threads();
    stats_are_about_this_heap();
    malloc_info_is_xml();
    mallopt_tells_what_is_done();
    trim_threshold_is_obeyed();
    return 0;
}
