/*
 * BUDDYSLAB=report=exit: the report at exit has the promised lines, in order, and its figures are
 * those of what the program did.  Runs itself again as the program that is reported on.
 */
#include "check.h"
#include <sys/mman.h>
#include <sys/wait.h>

enum
{
    nr_malloc = 5000,
    nr_calloc = 400,
    nr_realloc = 300,
    nr_aligned = 200,
    nr_windows = 3,
    nr_leaked = 1000,
    leaked_size = 1000,
    window_size = 9 * MiB
};

static void be_reported_on(void)
{
    for (int i = 0; i < nr_malloc; i++)
        free(malloc(100));
    for (int i = 0; i < nr_calloc; i++)
        free(calloc(1, 100));
    for (int i = 0; i < nr_realloc; i++)
        free(realloc(NULL, 100));
    for (int i = 0; i < nr_aligned; i++)
        free(aligned_alloc(64, 128));
    for (int i = 0; i < nr_windows; i++)
        memset(malloc(window_size), 1, window_size);
    for (int i = 0; i < nr_leaked; i++)
        memset(malloc(leaked_size), 1, leaked_size);
    free(NULL);
}

/* Reads one line, all of which must be `form` with a number for each '#'.  Returns the next. */
static char* read_line(char* text, const char* form, unsigned long* numbers)
{
    char* line = text;
    for (const char* at = form; *at; at++)
        if (*at == '#')
            *numbers++ = strtoul(text, &text, 10);
        else
            CHECK(*text++ == *at, "'%.100s' is not '%s'", line, form);
    CHECK(*text == '\n', "'%.100s' is not '%s'", line, form);
    return text + 1;
}

#define CHECK_BETWEEN(what, value, low, high)                                                      \
    CHECK((value) >= (unsigned long)(low) && (value) <= (unsigned long)(high), what ": %lu", value)

static void check_report(char* text)
{
    unsigned long n[5];
    text = read_line(text, "buddyslab: calls: malloc #, calloc #, realloc #, aligned #, free #", n);
    const int mallocs = nr_malloc + nr_windows + nr_leaked;
    const int frees = nr_malloc + nr_calloc + nr_realloc + nr_aligned;
    CHECK_BETWEEN("malloc", n[0], mallocs, mallocs + 100);
    CHECK_BETWEEN("calloc", n[1], nr_calloc, nr_calloc + 50);
    CHECK_BETWEEN("realloc", n[2], nr_realloc, nr_realloc + 50);
    CHECK_BETWEEN("aligned", n[3], nr_aligned, nr_aligned + 50);
    CHECK_BETWEEN("free", n[4], frees, frees + 100);

    const unsigned long live = (unsigned long)nr_windows * window_size + nr_leaked * leaked_size;
    text = read_line(text, "buddyslab: peak: # bytes mapped, # bytes in use", n);
    CHECK_BETWEEN("peak bytes in use", n[1], live, live + 4 * MiB);
    CHECK_BETWEEN("peak bytes mapped", n[0], n[1], (unsigned long)1 << 40);

    text = read_line(text, "buddyslab: pages: # in use, # free resident, # free clean", n);
    CHECK_BETWEEN("pages in use", n[0], nr_leaked * leaked_size / 4096, live / 4096 + 1000);
    text = read_line(text, "buddyslab: slabs: # live, # objects in use", n);
    CHECK_BETWEEN("slabs", n[0], 1, 1000);
    CHECK_BETWEEN("objects", n[1], nr_leaked, nr_leaked + 200);
    text = read_line(text, "buddyslab: windows: # made, # live, # stitched", n);
    CHECK_BETWEEN("windows made", n[0], nr_windows, nr_windows + 2);
    CHECK(n[1] == nr_windows && n[2] <= n[0], "windows: %lu live, %lu stitched", n[1], n[2]);
    text = read_line(text, "buddyslab: returned: # bytes to the system in # calls", n);
    CHECK(!n[0] == !n[1], "%lu bytes in %lu calls", n[0], n[1]);
    CHECK(*text == '\0', "more than the report: %s", text);
}

int main(int argc, char** argv)
{
    require_library();
    if (argc > 1) {
        be_reported_on();
        return 0;
    }
    int file = memfd_create("report", MFD_CLOEXEC);
    CHECK(file >= 0, "memfd_create");
    pid_t child = fork();
    if (child == 0) {
        dup2(file, 2);
        setenv("BUDDYSLAB", "report=exit", 1);
        execl("/proc/self/exe", argv[0], "again", NULL);
        _exit(127);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0, "the status is %#x",
          (unsigned)status);
    static char text[8192];
    CHECK(pread(file, text, sizeof text - 1, 0) > 0, "there is no report");
    check_report(text);
    return 0;
}
