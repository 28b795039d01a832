/*
 * Allocates a little, in a forked child too, and prints "served" when the library is the one that
 * answers.  Preloaded, or linked to the library (then it works as a setuid program).
 */
#include "check.h"
#include <sys/wait.h>

static void allocate(void)
{
    for (size_t size = 1; size < 10 * MiB; size *= 3)
        free(malloc(size));
}

int main(void)
{
    require_library();
    allocate();
    pid_t child = fork();
    if (child == 0) {
        allocate();
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0, "the child's status is %#x",
          (unsigned)status);
    return puts("served") < 0;
}
