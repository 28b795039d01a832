/* Children that must not hang: each has an alarm, and the parent says how it ended. */
#ifndef BUDDYSLAB_TESTS_CHILD_H
#define BUDDYSLAB_TESTS_CHILD_H

#include "check.h"
#include <sys/wait.h>

/* A child that waits for a lock nobody will release is killed by SIGALRM, which the parent sees. */
enum
{
    child_seconds = 30
};

static inline void expect_exit(pid_t child, int code, const char* what)
{
    int status;
    pid_t waited;
    do
        waited = waitpid(child, &status, 0);
    while (waited < 0 && errno == EINTR);
    CHECK(waited == child, "%s: waitpid: %s", what, strerror(errno));
    CHECK(!WIFSIGNALED(status), "%s: ended by signal %d (%s)", what, WTERMSIG(status),
          strsignal(WTERMSIG(status)));
    CHECK(WEXITSTATUS(status) == code, "%s: exit code %d", what, WEXITSTATUS(status));
}

/* Small, large and huge: what a forked child must still be able to allocate, use and free. */
static inline void allocate_in_child(void)
{
    static const size_t sizes[] = {24, 200, 3000, 100 * KiB, 8 * MiB};
    enum
    {
        count = sizeof sizes / sizeof *sizes
    };
    void* objects[count];
    for (int i = 0; i < count; i++) {
        objects[i] = malloc(sizes[i]);
        CHECK(objects[i], "malloc(%zu) in a child", sizes[i]);
        /* Touching all of 8 MiB in each of thousands of children would only measure the kernel. */
        memset(objects[i], i, sizes[i] < 100 * KiB ? sizes[i] : 4 * KiB);
    }
    for (int i = 0; i < count; i++)
        free(objects[i]);
}

#endif
