/*
 * Preloaded beside the library into real programs: notes in the file WITNESS which program runs and
 * which file serves its malloc, so that a test can prove that the program it ran was served.  A
 * library of its own, because many programs close their standard error before they exit, and some
 * are started by others.
 *
 * Preloaded before the library: the next malloc after this one is what the program's own calls are
 * bound to, unless it brings its own; then the size below tells.  (The address of malloc itself
 * would not do: in a program at a fixed address that is a stub of the program.)
 */
#include "check.h"
#include <fcntl.h>
#include <limits.h>

__attribute__((constructor)) static void note(void)
{
    const char* path = getenv("WITNESS");
    if (!path)
        return;
    char program[PATH_MAX], line[2 * PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (length < 0 || file < 0)
        return;
    program[length] = '\0';
    Dl_info provider = {.dli_fname = "?"};
    dladdr(dlsym(RTLD_NEXT, "malloc"), &provider);
    void* p = malloc(100);
    /* One write, so that programs that start at the same time do not mix their lines. */
    int n = snprintf(line, sizeof line, "%s %s %zu\n", strrchr(program, '/') + 1,
                     provider.dli_fname, malloc_usable_size(p));
    free(p);
    ssize_t written = write(file, line, (size_t)n);
    (void)written;
    close(file);
}
