/*
 * Programs that lock themselves in with seccomp.  What an allocator may need of the kernel beyond
 * mapping memory and sleeping is refused; it must go on with less.
 * Usage: seccomp eperm|enosys          refuse the clever calls, from the first instruction on
 *        seccomp sandbox               allow only a short list, from main on
 *        seccomp sandbox-no-mremap     and without mremap and madvise
 *        seccomp killing               what docs/compatibility.md does not list kills, from main on
 */
#include "busy.h"
#include "child.h"
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum
{
    nr_threads = 4,
    max_calls = 48
};

static const int clever_calls[] = {
    SYS_membarrier, SYS_rseq, SYS_prctl, SYS_process_madvise, SYS_getrandom, SYS_getcpu,
};

/* What is left to a renderer or a codec in its sandbox. */
static const int sandbox_calls[] = {
    SYS_read,         SYS_write,      SYS_close,           SYS_mmap,           SYS_munmap,
    SYS_mprotect,     SYS_brk,        SYS_futex,           SYS_clone,          SYS_clone3,
    SYS_exit,         SYS_exit_group, SYS_set_robust_list, SYS_rt_sigprocmask, SYS_rt_sigaction,
    SYS_rt_sigreturn, SYS_rseq,       SYS_gettid,          SYS_getpid,         SYS_tgkill,
    SYS_wait4,        SYS_alarm,      SYS_clock_nanosleep, SYS_mremap,         SYS_madvise,
};

/* What docs/compatibility.md lists, and what the program itself calls. */
static const int needed_calls[] = {
    SYS_mmap,           SYS_munmap,
    SYS_mprotect,       SYS_madvise,
    SYS_futex,          SYS_mremap,
    SYS_membarrier,     SYS_getcpu,
    SYS_prlimit64,      SYS_sched_yield,
    SYS_prctl, /* from here on the program's */
    SYS_write,          SYS_clone,
    SYS_clone3,         SYS_exit,
    SYS_exit_group,     SYS_set_robust_list,
    SYS_rt_sigprocmask, SYS_rt_sigaction,
    SYS_rt_sigreturn,   SYS_rseq,
    SYS_gettid,         SYS_getpid,
    SYS_tgkill,         SYS_wait4,
    SYS_alarm,          SYS_clock_nanosleep,
};
enum
{
    nr_sandbox_calls = sizeof sandbox_calls / sizeof *sandbox_calls
};

/* If the call is one of `calls`, `then`, otherwise `otherwise`. */
static void install(const int* calls, size_t count, unsigned then, unsigned otherwise)
{
    struct sock_filter program[max_calls + 3];
    size_t n = 0;
    CHECK(count <= max_calls, "%zu calls", count);
    program[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < count; i++)
        program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i],
                                                    (unsigned char)(count - i), 0);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, otherwise);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, then);
    struct sock_fprog filter = {(unsigned short)n, program};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs: %s", strerror(errno));
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0, "seccomp: %s", strerror(errno));
}

/* Everything that could tempt an allocator to a clever call: threads, huge objects, trim, fork. */
static void allocate_inside(void)
{
    struct busy_threads busy;
    start_busy_threads(&busy, nr_threads);
    errno = 0;
    char* p = malloc(6 * MiB);
    CHECK(p, "malloc of 6 MiB");
    CHECK(errno == 0, "malloc of 6 MiB: %s", strerror(errno));
    fill_pattern(p, 6 * MiB, 1);
    for (size_t size = 6 * MiB; size < 80 * MiB; size *= 2) {
        p = realloc(p, size * 2);
        CHECK(p, "realloc to %zu", size * 2);
        CHECK(errno == 0, "realloc to %zu: %s", size * 2, strerror(errno));
        check_pattern(p, 6 * MiB, 6 * MiB, 1);
        malloc_trim(0);
    }
    p = realloc(p, 5 * MiB);
    check_pattern(p, 6 * MiB, 5 * MiB, 1);
    free(p);
    for (int i = 0; i < 200; i++) {
        void* q = calloc(1, (size_t)1 << (10 + i % 14));
        CHECK(q, "calloc");
        CHECK(errno == 0, "calloc: %s", strerror(errno));
        free(q);
        if (i % 10 == 0)
            malloc_trim(0);
    }
    pid_t child = fork();
    CHECK(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) {
        allocate_in_child();
        _exit(0);
    }
    expect_exit(child, 0, "child");
    stop_busy_threads(&busy);
}

int main(int argc, char** argv)
{
    CHECK(argc >= 2, "usage: seccomp eperm|enosys|sandbox|sandbox-no-mremap|killing");
    if (strcmp(argv[1], "killing") == 0) {
        require_library();
        install(needed_calls, sizeof needed_calls / sizeof *needed_calls, SECCOMP_RET_ALLOW,
                SECCOMP_RET_KILL_PROCESS);
    } else if (strncmp(argv[1], "sandbox", 7) == 0) {
        int whole = strcmp(argv[1], "sandbox") == 0;
        require_library();
        install(sandbox_calls, (size_t)nr_sandbox_calls - (whole ? 0 : 2), SECCOMP_RET_ALLOW,
                SECCOMP_RET_ERRNO | EPERM);
        errno = 0;
        CHECK(open("/", O_RDONLY) == -1 && errno == EPERM, "the filter does not filter");
    } else if (argc == 2) {
        int error = strcmp(argv[1], "eperm") == 0 ? EPERM : ENOSYS;
        char* arguments[] = {argv[0], argv[1], (char*)"inside", NULL};
        install(clever_calls, sizeof clever_calls / sizeof *clever_calls,
                SECCOMP_RET_ERRNO | (unsigned)error, SECCOMP_RET_ALLOW);
        execv("/proc/self/exe", arguments);
        FAIL("exec: %s", strerror(errno));
    } else {
        require_library();
        CHECK(syscall(SYS_membarrier, 0, 0, 0) == -1, "the filter does not filter");
    }
    allocate_inside();
    return 0;
}
