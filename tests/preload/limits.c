/*
 * A process with little address space (RLIMIT_AS, `ulimit -v`), with little data (RLIMIT_DATA), or on a
 * system that promises no more than it has (overcommit_memory=2): the allocator starts, gives most of what
 * there is, then returns NULL with ENOMEM; and what was freed in one size serves every other size, to new
 * threads too.
 * Usage: limits as|data|overcommit MiB threads
 *
 * The limit is set before exec, so that the allocator meets it from its first instruction.
 * overcommit_memory is a setting of the whole machine: root sets it here, for so long as the program runs,
 * with that many MiB more than is committed already.  So no test does, only scripts/soak.  The kernel keeps
 * that account by processor, and what it grants comes and goes by 32 MiB for each: take 1000 MiB or more.
 */
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum
{
    max_threads = 8,
    thread_stack = 256 * KiB
};

struct object
{
    struct object* next; /* a list through the objects: nothing else is needed to free them */
};

struct worker
{
    pthread_barrier_t* together;
    size_t size;
    size_t taken; /* bytes, at the end */
    pthread_t thread;
};

static void* exhaust_and_free(void* arg)
{
    struct worker* worker = arg;
    struct object* list = NULL;
    pthread_barrier_wait(worker->together); /* every thread has its stack */
    for (;;) {
        errno = 0;
        struct object* object = malloc(worker->size);
        if (!object)
            break;
        object->next = list;
        list = object;
        worker->taken += worker->size;
    }
    CHECK(errno == ENOMEM, "NULL with errno %d for %zu bytes", errno, worker->size);
    pthread_barrier_wait(worker->together); /* nobody frees while another still takes */
    while (list) {
        struct object* next = list->next;
        free(list);
        list = next;
    }
    return NULL;
}

/* New threads take objects of one size until there are no more, and free them.  Returns bytes. */
static size_t exhaust(int threads, size_t size)
{
    struct worker workers[max_threads];
    pthread_barrier_t together;
    pthread_attr_t attributes;
    pthread_barrier_init(&together, NULL, (unsigned)threads);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, thread_stack);
    for (int i = 0; i < threads; i++) {
        workers[i] = (struct worker){.together = &together, .size = size};
        int error = pthread_create(&workers[i].thread, &attributes, exhaust_and_free, &workers[i]);
        CHECK(error == 0, "thread %d: %s", i, strerror(error));
    }
    size_t taken = 0;
    for (int i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        taken += workers[i].taken;
    }
    pthread_attr_destroy(&attributes);
    pthread_barrier_destroy(&together);
    return taken;
}

/* The program, its libraries and its threads' stacks live under the limit as well. */
static size_t expected_at_least(size_t limit, int threads)
{
    return (limit - 14 * MiB - (size_t)threads * thread_stack) / 2;
}

static void every_size_serves_every_other(size_t limit, int threads)
{
    const size_t huge = limit / 16 > 5 * MiB ? limit / 16 : 5 * MiB;
    /* Under the larger limits tiny objects would only take long. */
    const size_t tiny = limit < 200 * MiB ? 24 : 1500;
    const size_t sizes[] = {512, 1 * MiB, huge, 512, 20 * KiB, tiny, 1 * MiB};
    size_t first = exhaust(threads, sizes[0]);
    size_t floor = expected_at_least(limit, threads);
    CHECK(first >= floor, "only %zu of %zu MiB could be allocated", first / MiB, limit / MiB);
    for (size_t i = 1; i < sizeof sizes / sizeof *sizes; i++) {
        size_t taken = exhaust(threads, sizes[i]);
        /* Tiny objects have their class's waste; huge ones leave rests that hold no other; and one page
         * in use costs its 4 MiB one object of four. */
        size_t tenths = sizes[i] == huge ? 4 : sizes[i] == tiny ? 5 : sizes[i] == 1 * MiB ? 7 : 8;
        CHECK(taken >= first / 10 * tenths,
              "after %zu MiB of %zu-byte objects only %zu MiB of %zu-byte ones", first / MiB,
              sizes[i - 1], taken / MiB, sizes[i]);
    }
}

static size_t committed_now(void)
{
    char line[128];
    size_t kilobytes = 0;
    FILE* file = fopen("/proc/meminfo", "r");
    CHECK(file, "/proc/meminfo: %s", strerror(errno));
    while (!kilobytes && fgets(line, sizeof line, file))
        sscanf(line, "Committed_AS: %zu", &kilobytes);
    fclose(file);
    CHECK(kilobytes, "no Committed_AS in /proc/meminfo");
    return kilobytes * KiB;
}

static size_t setting(const char* path)
{
    size_t value = 0;
    FILE* file = fopen(path, "r");
    CHECK(file && fscanf(file, "%zu", &value) == 1, "%s: %s", path, strerror(errno));
    fclose(file);
    return value;
}

static void set(const char* path, size_t value)
{
    FILE* file = fopen(path, "w");
    CHECK(file, "%s: %s", path, strerror(errno));
    fprintf(file, "%zu\n", value);
    CHECK(fclose(file) == 0, "%s: %s", path, strerror(errno));
}

/* Runs the command while the system promises so many bytes more than it has by now. */
static int run_without_overcommit(char** arguments, size_t bytes)
{
    static const char policy[] = "/proc/sys/vm/overcommit_memory";
    static const char ratio[] = "/proc/sys/vm/overcommit_ratio";
    static const char most[] = "/proc/sys/vm/overcommit_kbytes";
    const size_t old_policy = setting(policy), old_ratio = setting(ratio), old_most = setting(most);
    const size_t outside = 20 * MiB; /* the program without its heap */
    int status = -1;
    signal(SIGINT, SIG_IGN); /* or the machine would stay so */
    signal(SIGTERM, SIG_IGN);
    pid_t child = fork();
    if (child == 0) {
        set(most, (committed_now() + bytes + outside) / KiB);
        set(policy, 2);
        execv("/proc/self/exe", arguments);
        FAIL("exec: %s", strerror(errno));
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child, "fork: %s", strerror(errno));
    set(policy, old_policy);
    if (old_most)
        set(most, old_most);
    else
        set(ratio, old_ratio);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char** argv)
{
    CHECK(argc >= 4, "usage: limits as|data|overcommit MiB threads");
    const size_t limit = strtoul(argv[2], NULL, 10) * MiB;
    const int threads = atoi(argv[3]);
    CHECK(threads >= 1 && threads <= max_threads, "%d threads", threads);
    if (argc == 4) {
        char* arguments[] = {argv[0], argv[1], argv[2], argv[3], (char*)"limited", NULL};
        if (strcmp(argv[1], "overcommit") == 0)
            return run_without_overcommit(arguments, limit);
        const int resource = strcmp(argv[1], "as") == 0 ? RLIMIT_AS : RLIMIT_DATA;
        const struct rlimit rlimit = {limit, limit};
        CHECK(setrlimit((__rlimit_resource_t)resource, &rlimit) == 0, "%s", strerror(errno));
        execv("/proc/self/exe", arguments);
        FAIL("exec: %s", strerror(errno));
    }
    require_library();
    every_size_serves_every_other(limit, threads);
    return 0;
}
