/*
 * Thousands of forks while eight threads allocate, so that the fork meets every state in which a
 * thread can be inside the allocator.  The child allocates, frees memory of its parent, and exits.
 * Usage: fork_storm forks
 */
#include "busy.h"
#include "child.h"

enum
{
    nr_threads = 8,
    nr_inherited = 64,
    children_at_once = 2
};

static char* inherited[nr_inherited];

static void run_child(long number)
{
    alarm(child_seconds);
    for (int i = 0; i < nr_inherited; i++) {
        CHECK(inherited[i][0] == (char)i, "an object of the parent has changed");
        if (number % 8 == 0)
            free(inherited[i]);
    }
    allocate_in_child();
    /* A trim in the child meets what the threads held that do not exist here. */
    if (number % 64 == 0)
        malloc_trim(0);
    exit(0);
}

int main(int argc, char** argv)
{
    require_library();
    CHECK(argc == 2, "usage: fork_storm forks");
    long forks = strtol(argv[1], NULL, 10);
    for (int i = 0; i < nr_inherited; i++) {
        inherited[i] = malloc((size_t)16 << (i % 14));
        inherited[i][0] = (char)i;
    }
    struct busy_threads busy;
    start_busy_threads(&busy, nr_threads);
    pid_t children[children_at_once] = {0};
    for (long i = 0; i < forks; i++) {
        pid_t* slot = &children[i % children_at_once];
        if (*slot)
            expect_exit(*slot, 0, "child");
        *slot = fork();
        CHECK(*slot >= 0, "fork %ld: %s", i, strerror(errno));
        if (*slot == 0)
            run_child(i);
    }
    for (int i = 0; i < children_at_once; i++)
        if (children[i])
            expect_exit(children[i], 0, "one of the last children");
    stop_busy_threads(&busy);
    return 0;
}
