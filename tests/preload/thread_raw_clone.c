/*
 * Threads that pthreads does not know.  The first kind shares the thread control block of a parent
 * that sleeps meanwhile (CLONE_VM | CLONE_VFORK, as posix_spawn does).  The second has a block of
 * its own, which ld.so makes with _dl_allocate_tls() as pthread_create() does.
 *
 * Such a thread ends without any hook that an allocator could have, so the blocks are not given
 * back here: nobody could tell the allocator that a thread's static TLS is gone.
 */
#include "child.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum
{
    stack_size = 256 * KiB,
    nr_rounds = 16,
    nr_at_once = 4,
    skipped = 77
};

static char* stacks[nr_at_once];

/* Checks memory of one thread, keeps one object, and frees what another left. */
static void* left[nr_at_once];

static void use_heap(unsigned number)
{
    uint64_t state = number;
    for (int i = 0; i < 3000; i++) {
        size_t size = next_random(&state) % (i % 50 ? 2000 : 200 * KiB);
        char* p = malloc(size + 8);
        fill_pattern(p, size + 8, state);
        check_pattern(p, size + 8, size + 8, state);
        free(p);
    }
    free(left[number]);
    left[number] = malloc(500);
}

static int run_on_parents_tls(void* arg)
{
    use_heap(*(unsigned*)arg);
    return 42;
}

static void threads_on_parents_tls(void)
{
    for (unsigned i = 0; i < nr_rounds; i++) {
        unsigned number = i % nr_at_once;
        pid_t child = clone(run_on_parents_tls, stacks[number] + stack_size,
                            CLONE_VM | CLONE_VFORK | SIGCHLD, &number);
        CHECK(child > 0, "clone: %s", strerror(errno));
        expect_exit(child, 42, "child with the parent's memory");
        use_heap(number);
    }
}

#if defined(__x86_64__)

/* The head of glibc's thread control block: only what code that the compiler makes relies on. */
struct control_block
{
    void* tcb;
    void* dtv; /* set by _dl_allocate_tls() */
    void* self;
    int multiple_threads, gscope_flag;
    uintptr_t sysinfo, stack_guard, pointer_guard;
};

static struct control_block* this_control_block(void)
{
    struct control_block* block;
    __asm__("mov %%fs:0, %0" : "=r"(block));
    return block;
}

static struct control_block* new_control_block(void)
{
    void* (*allocate_tls)(void*) = (void* (*)(void*))dlsym(RTLD_DEFAULT, "_dl_allocate_tls");
    if (!allocate_tls)
        return NULL;
    struct control_block* block = allocate_tls(NULL);
    CHECK(block, "_dl_allocate_tls");
    block->tcb = block->self = block;
    block->stack_guard = this_control_block()->stack_guard;
    block->pointer_guard = this_control_block()->pointer_guard;
    return block;
}

static int run_thread(void* arg)
{
    use_heap(*(unsigned*)arg);
    /* Not through exit(), and not returning: a raw thread has only its system call. */
    syscall(SYS_exit, 0);
    return 0;
}

static void wait_for_end(_Atomic(pid_t)* id)
{
    for (pid_t now; (now = atomic_load(id)) != 0;)
        syscall(SYS_futex, id, FUTEX_WAIT, now, NULL, NULL, 0);
}

static int threads_with_own_tls(void)
{
    static _Atomic(pid_t) ids[nr_at_once];
    static unsigned numbers[nr_at_once];
    const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                      CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
    for (int round = 0; round < nr_rounds; round++) {
        for (unsigned i = 0; i < nr_at_once; i++) {
            struct control_block* block = new_control_block();
            if (!block)
                return skipped;
            numbers[i] = i;
            pid_t thread = clone(run_thread, stacks[i] + stack_size, flags, &numbers[i],
                                 (pid_t*)&ids[i], block, (pid_t*)&ids[i]);
            CHECK(thread > 0, "clone: %s", strerror(errno));
        }
        allocate_in_child();
        for (unsigned i = 0; i < nr_at_once; i++)
            wait_for_end(&ids[i]);
    }
    return 0;
}

#else

/* The place of the control block's fields is known to this program on x86-64 only. */
static int threads_with_own_tls(void)
{
    return skipped;
}

#endif

static void* nothing(void* arg)
{
    return arg;
}

/* glibc's own malloc takes no locks before the first pthread_create(). */
static void let_glibc_know_of_threads(void)
{
    pthread_t thread;
    if (!is_library_under_test() && pthread_create(&thread, NULL, nothing, NULL) == 0)
        pthread_join(thread, NULL);
}

int main(void)
{
    require_library();
    let_glibc_know_of_threads();
    for (int i = 0; i < nr_at_once; i++) {
        stacks[i] = mmap(NULL, stack_size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        CHECK(stacks[i] != MAP_FAILED, "stack");
    }
    threads_on_parents_tls();
    int result = threads_with_own_tls();
    if (result == skipped)
        dprintf(2, "skipped: no way here to make a thread control block\n");

    /* Whatever the dead threads held: trim and fork, which look at every thread's heap, work. */
    malloc_trim(0);
    pid_t child = fork();
    CHECK(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) {
        alarm(child_seconds);
        allocate_in_child();
        malloc_trim(0);
        exit(0);
    }
    expect_exit(child, 0, "fork after raw threads");
    return result;
}
