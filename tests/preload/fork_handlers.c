/*
 * Fork handlers that allocate, registered before the allocator could register its own (by early.c,
 * preloaded on either side of it), by the program's constructors of several priorities, and later.
 * Handlers registered before the allocator's run while it is prepared for the fork: a lock it took
 * for that must not stop them.
 */
#include "busy.h"
#include "child.h"

enum
{
    nr_threads = 4,
    nr_forks = 300,
    nr_sets = 4
};

static void* held[nr_sets];
static int prepared[nr_sets];
static int done[nr_sets];

static void prepare(int set)
{
    held[set] = malloc((size_t)50 << (set * 5)); /* 50 bytes to 1.6 MiB */
    CHECK(held[set], "malloc in prepare handler %d", set);
    free(malloc(48));
    prepared[set]++;
}

static void finish(int set)
{
    free(held[set]);
    void* p = malloc(5 * MiB);
    p = realloc(p, 9 * MiB);
    CHECK(p, "realloc in handler %d", set);
    free(p);
    done[set]++;
}

#define HANDLERS(set)                                                                              \
    static void prepare_##set(void)                                                                \
    {                                                                                              \
        prepare(set);                                                                              \
    }                                                                                              \
    static void finish_##set(void)                                                                 \
    {                                                                                              \
        finish(set);                                                                               \
    }                                                                                              \
    static void register_##set(void)                                                               \
    {                                                                                              \
        CHECK(pthread_atfork(prepare_##set, finish_##set, finish_##set) == 0, "pthread_atfork");   \
    }

HANDLERS(0)
HANDLERS(1)
HANDLERS(2)
HANDLERS(3)

__attribute__((constructor(101))) static void register_early(void)
{
    register_0();
}

__attribute__((constructor(200))) static void register_second(void)
{
    register_1();
}

__attribute__((constructor)) static void register_with_others(void)
{
    register_2();
}

int main(void)
{
    require_library();
    register_3();
    struct busy_threads busy;
    start_busy_threads(&busy, nr_threads);
    alarm(child_seconds * 2);
    for (int i = 0; i < nr_forks; i++) {
        pid_t child = fork();
        CHECK(child >= 0, "fork: %s", strerror(errno));
        if (child == 0) {
            alarm(child_seconds);
            allocate_in_child();
            exit(0);
        }
        expect_exit(child, 0, "child");
    }
    stop_busy_threads(&busy);
    for (int set = 0; set < nr_sets; set++)
        CHECK(prepared[set] == nr_forks && done[set] == nr_forks, "set %d: %d prepared, %d done",
              set, prepared[set], done[set]);
    const char* early = getenv("EARLY");
    if (early && strcmp(early, "atfork") == 0) {
        int* run = (int*)dlsym(RTLD_DEFAULT, "early_handlers_run");
        CHECK(run && *run == nr_forks, "the early handlers ran %d times", run ? *run : -1);
    }
    return 0;
}
