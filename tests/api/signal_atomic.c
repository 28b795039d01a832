/*
 * GFP_ATOMIC in a signal handler that interrupts a thread inside malloc: objects are nobody else's, and
 * the handler makes no system call.
 *
 * The thread allocates and frees without end; the timer's signal lands in every part of that.  The
 * handler takes objects of every size with GFP_ATOMIC and fills them; the thread frees them later.  All
 * system calls are trapped by seccomp, and refused; those of the handler are counted, and must be none.
 */
#define _GNU_SOURCE
#include <buddyslab/kmalloc.h>
#include <buddyslab/kmem_cache.h>

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

enum
{
    nr_slots = 4096,
    nr_sizes = 6,
    rounds = 400000
};

static const size_t sizes[nr_sizes] = {16, 48, 64, 200, 1000, 3000};
static bsl_kmem_cache* cache;

struct slot
{
    unsigned char* volatile object;
    volatile unsigned size;
    volatile unsigned char fill;
};
static struct slot slots[nr_slots];
static volatile unsigned nr_filled, nr_emptied, nr_handled, nr_served;
static volatile sig_atomic_t in_handler, calls_in_handler;

/* Every system call of the process comes here, by SIGSYS. */
static void on_syscall(int signal, siginfo_t* info, void* context)
{
    (void)signal;
    (void)info;
    ucontext_t* registers = context;
#ifdef __x86_64__
    registers->uc_mcontext.gregs[REG_RAX] = -ENOSYS;
#else
    registers->uc_mcontext.regs[0] = (unsigned long long)-ENOSYS;
#endif
    if (in_handler)
        calls_in_handler++;
}

static void on_timer(int signal)
{
    (void)signal;
    in_handler = 1;
    nr_handled++;
    for (unsigned i = 0; i < nr_sizes; i++) {
        if (nr_filled - nr_emptied == nr_slots)
            break;
        size_t size = sizes[i];
        unsigned char* p = i == 2 ? bsl_kmem_cache_alloc(cache, BSL_GFP_ATOMIC)
                                  : bsl_kmalloc(size, BSL_GFP_ATOMIC);
        if (p == NULL)
            continue;
        struct slot* slot = &slots[nr_filled % nr_slots];
        nr_served++;
        slot->object = p;
        slot->size = (unsigned)size;
        slot->fill = (unsigned char)nr_served;
        memset(p, slot->fill, size);
        nr_filled++;
    }
    in_handler = 0;
}

static void check(const unsigned char* p, size_t size, unsigned char fill)
{
    for (size_t i = 0; i < size; i++) {
        if (p[i] != fill) {
            fprintf(stderr, "an object of %zu bytes was given out twice\n", size);
            exit(1);
        }
    }
}

static void take_back(void)
{
    while (nr_emptied != nr_filled) {
        struct slot* slot = &slots[nr_emptied % nr_slots];
        check(slot->object, slot->size, slot->fill);
        bsl_kfree(slot->object);
        nr_emptied++;
    }
}

static void trap_calls_of_handler(void)
{
    /* The filter cannot see in_handler, so it traps always; what the program itself still asks for is
     * refused: its memory is there by now. */
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_rt_sigreturn, 5, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_write, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit_group, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_setitimer, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_rt_sigprocmask, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        perror("seccomp");
        exit(1);
    }
}

static void churn(unsigned n)
{
    static unsigned char* mine[512];
    static unsigned char fill[512];
    static unsigned short size[512];
    unsigned seed = 1;
    for (unsigned i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        unsigned at = seed >> 23;
        unsigned kind = (seed >> 10) % nr_sizes;
        if (mine[at] != NULL) {
            check(mine[at], size[at], fill[at]);
            bsl_kfree(mine[at]);
        }
        mine[at] = kind == 2 ? bsl_kmem_cache_alloc(cache, BSL_GFP_KERNEL)
                             : bsl_kmalloc(sizes[kind], BSL_GFP_KERNEL);
        size[at] = (unsigned short)sizes[kind];
        fill[at] = (unsigned char)i;
        memset(mine[at], fill[at], size[at]);
        take_back();
    }
}

int main(void)
{
    struct sigaction trapped = {.sa_sigaction = on_syscall, .sa_flags = SA_SIGINFO | SA_NODEFER};
    struct sigaction timer = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 100}, {0, 100}};
    struct itimerval never = {{0, 0}, {0, 0}};

    cache = bsl_kmem_cache_create("atomic", 64, 0, BSL_SLAB_NO_MERGE, NULL);
    churn(20000);
    sigaction(SIGSYS, &trapped, NULL);
    sigaction(SIGALRM, &timer, NULL);
    trap_calls_of_handler();
    setitimer(ITIMER_REAL, &often, NULL);
    for (unsigned i = 0; nr_handled < 200 || i < rounds / 20000; i++)
        churn(20000);
    setitimer(ITIMER_REAL, &never, NULL);
    take_back();
    if (calls_in_handler != 0) {
        fprintf(stderr, "%d system calls in handlers\n", (int)calls_in_handler);
        return 1;
    }
    if (nr_served < 100) {
        fprintf(stderr, "only %u objects in %u signals\n", nr_served, nr_handled);
        return 1;
    }
    return 0;
}
