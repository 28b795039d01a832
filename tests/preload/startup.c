/*
 * What the library costs a program that hardly allocates: minor faults and peak memory of /bin/true
 * with it, above /bin/true without.  Usage: startup library.so
 *
 * This launcher is linked statically and stays small, because a child's peak, as wait4() reports
 * it, begins with what it shared with its parent before exec.  The runs alternate, and the medians
 * are compared.
 *
 * How many pages of the library's file the kernel maps around a fault depends on how the page cache
 * holds the file (272 or 324 KiB here, an older file or one just written).  These pages are shared
 * by all processes, so all that is mapped of the file is allowed, and what is beyond it is bounded.
 */
#include <elf.h>
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
    allowed_kib_beyond_file = 48
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

/* What the program headers map of the file, in whole pages. */
static long mapped_kib(const char* path)
{
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    long kib = 0;
    FILE* file = fopen(path, "rb");
    if (!file || fread(&header, sizeof header, 1, file) != 1 ||
        fseek(file, (long)header.e_phoff, SEEK_SET))
        return 0;
    for (int i = 0; i < header.e_phnum && fread(&segment, sizeof segment, 1, file) == 1; i++)
        if (segment.p_type == PT_LOAD)
            kib += (long)(segment.p_vaddr % 4096 + segment.p_filesz + 4095) / 4096 * 4;
    fclose(file);
    return kib;
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
    long allowed_kib = mapped_kib(argv[1]) + allowed_kib_beyond_file;
    printf("plain: %ld faults, %ld KiB; the library adds %ld faults (at most %d), %ld KiB "
           "(at most %ld)\n",
           median(plain.faults), median(plain.peak_kib), faults, allowed_faults, kib, allowed_kib);
    if (faults <= 0) {
        printf("no fault more: the library was not loaded\n");
        return 1;
    }
    return faults > allowed_faults || kib > allowed_kib;
}
