/*
 * What the library costs a program that hardly allocates: minor faults and peak memory of /bin/true
 * with it, above /bin/true without.  Usage: startup library.so
 *
 * This launcher is linked statically and stays small, because a child's peak, as wait4() reports
 * it, begins with what it shared with its parent before exec.  The runs alternate, and the medians
 * are compared.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum
{
    runs = 101,
    allowed_faults = 20,
    allowed_kib = 320
};

struct cost
{
    long faults[runs];
    long peak_kib[runs];
};

static int run_true(char** environment, struct cost* cost, int run)
{
    char* arguments[] = {(char*)"true", NULL};
    struct rusage usage;
    int status;
    pid_t child = fork();
    if (child == 0) {
        execve("/bin/true", arguments, environment);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &usage) != child || status != 0)
        return -1;
    cost->faults[run] = usage.ru_minflt;
    cost->peak_kib[run] = usage.ru_maxrss;
    return 0;
}

static int by_value(const void* a, const void* b)
{
    long x = *(const long*)a, y = *(const long*)b;
    return (x > y) - (x < y);
}

static long median(long* values)
{
    qsort(values, runs, sizeof *values, by_value);
    return values[runs / 2];
}

int main(int argc, char** argv)
{
    static struct cost plain, preloaded;
    static char preload[4096] = "LD_PRELOAD=";
    if (argc != 2 || strlen(argv[1]) > 4000)
        return 2;
    char* no_environment[] = {NULL};
    char* with_library[] = {strcat(preload, argv[1]), NULL};
    for (int run = 0; run < runs; run++)
        if (run_true(no_environment, &plain, run) || run_true(with_library, &preloaded, run)) {
            printf("/bin/true did not run well\n");
            return 1;
        }
    long faults = median(preloaded.faults) - median(plain.faults);
    long kib = median(preloaded.peak_kib) - median(plain.peak_kib);
    printf("plain: %ld faults, %ld KiB; the library adds %ld faults (at most %d), %ld KiB "
           "(at most %d)\n",
           median(plain.faults), median(plain.peak_kib), faults, allowed_faults, kib, allowed_kib);
    if (faults <= 0) {
        printf("no fault more: the library was not loaded\n");
        return 1;
    }
    return faults > allowed_faults || kib > allowed_kib;
}
