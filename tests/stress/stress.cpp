/*
 * Random work by many threads, in which every object's content is checked before it is freed.
 *
 *   stress mixed|pipeline|short-threads [threads=N] [seconds=N] [fork] [signals] [exit] [seed=N]
 *
 *   mixed          each thread replaces, resizes and hands over objects at random
 *   pipeline       half of the threads only allocate, the others only free
 *   short-threads  as mixed, by threads that end after a few milliseconds and leave objects
 *   fork           the process forks all the time; the children work on what they inherit
 *   signals        a timer interrupts the threads and their system calls a thousand times a second
 *   exit           the process ends by exit() while its threads work
 *
 * A failure names the seed.  With the same seed the requests are the same; the schedule is not.
 */
#include "check.h"
#include "child.h"
#include <atomic>
#include <csignal>
#include <new>
#include <pthread.h>
#include <sys/time.h>
#include <time.h>

namespace
{

struct options
{
    const char* mode = "mixed";
    int threads = 4;
    double seconds = 5;
    std::uint64_t seed = 1;
    bool forks = false;
    bool signals = false;
    bool exits = false;
};

options opt;
std::atomic<bool> stop;

double now()
{
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

/* An object and what its content must be; made by any of the calls there are. */
struct object
{
    char* memory = nullptr;
    std::size_t size = 0;
    std::uint64_t pattern = 0;
    bool by_new = false;
};

/* Small objects mostly, as programs have them; one in a few thousand is huge. */
std::size_t random_size(std::uint64_t* state)
{
    const std::uint64_t kind = next_random(state) % 10000;
    const std::uint64_t r = next_random(state);
    if (kind < 7000)
        return r % 256;
    if (kind < 9400)
        return r % 4096;
    if (kind < 9930)
        return r % (64 * KiB);
    if (kind < 9995)
        return r % MiB;
    return r % (12 * MiB);
}

void make(object* o, std::uint64_t* state)
{
    o->size = random_size(state);
    o->pattern = next_random(state);
    o->by_new = false;
    const std::uint64_t how = next_random(state) % 16;
    void* p = nullptr;
    if (how < 8) {
        p = malloc(o->size);
    } else if (how < 11) {
        p = calloc(1, o->size);
        for (std::size_t i = 0; p && i < o->size; i += pattern_step(o->size))
            CHECK(static_cast<char*>(p)[i] == 0, "calloc(%zu) is not zero at %zu", o->size, i);
    } else if (how < 14) {
        p = ::operator new(o->size, std::nothrow);
        o->by_new = true;
    } else {
        const std::size_t alignment = std::size_t{16} << (next_random(state) % 10);
        if (posix_memalign(&p, alignment, o->size) != 0)
            p = nullptr;
        CHECK(reinterpret_cast<std::uintptr_t>(p) % alignment == 0, "%p for %zu", p, alignment);
    }
    CHECK(p, "no memory for %zu bytes (seed %lu)", o->size, static_cast<unsigned long>(opt.seed));
    o->memory = static_cast<char*>(p);
    fill_pattern(o->memory, o->size, o->pattern);
}

void drop(object* o)
{
    if (!o->memory)
        return;
    check_pattern(o->memory, o->size, o->size, o->pattern);
    if (o->by_new)
        ::operator delete(o->memory, o->size);
    else
        free(o->memory);
    o->memory = nullptr;
}

void resize(object* o, std::uint64_t* state)
{
    if (!o->memory || o->by_new)
        return;
    const std::size_t size = random_size(state) + 1;
    char* p = static_cast<char*>(realloc(o->memory, size));
    CHECK(p, "no memory to resize %zu to %zu bytes", o->size, size);
    check_pattern(p, o->size, o->size < size ? o->size : size, o->pattern);
    o->memory = p;
    o->size = size;
    fill_pattern(p, size, o->pattern);
}

/*
 * Where objects change hands: a slot holds an object or nothing, and a thread that swaps frees what
 * another made.  The descriptors are heap objects themselves.
 */
constexpr int nr_exchanges = 256;
std::atomic<object*> exchange[nr_exchanges];

object* swap_slot(object* mine, std::uint64_t* state)
{
    return exchange[next_random(state) % nr_exchanges].exchange(mine, std::memory_order_acq_rel);
}

void hand_over(object* o, std::uint64_t* state)
{
    if (!o->memory)
        return;
    object* theirs = swap_slot(new object(*o), state);
    o->memory = nullptr;
    if (theirs)
        *o = *theirs;
    delete theirs;
}

void empty_exchange()
{
    for (auto& slot : exchange)
        if (object* o = slot.exchange(nullptr)) {
            drop(o);
            delete o;
        }
}

void random_step(object* o, std::uint64_t* state)
{
    const std::uint64_t what = next_random(state) % 16;
    if (what < 10) {
        drop(o);
        make(o, state);
    } else if (what < 12) {
        resize(o, state);
    } else if (what < 15) {
        hand_over(o, state);
    } else {
        drop(o);
    }
}

constexpr int nr_slots = 400;

void work_until(double end, std::uint64_t seed)
{
    static thread_local object slots[nr_slots];
    std::uint64_t state = seed;
    while (!stop.load(std::memory_order_relaxed)) {
        for (int i = 0; i < 200; i++)
            random_step(&slots[next_random(&state) % nr_slots], &state);
        if (now() > end)
            break;
    }
    for (object& o : slots)
        drop(&o);
}

void* mixed_thread(void* number)
{
    work_until(1e300, opt.seed * 1000 + reinterpret_cast<std::uintptr_t>(number));
    return nullptr;
}

void* short_thread(void* number)
{
    std::uint64_t state = opt.seed * 1000 + reinterpret_cast<std::uintptr_t>(number);
    work_until(now() + 0.003, next_random(&state));
    object left;
    make(&left, &state);
    hand_over(&left, &state);
    drop(&left);
    return nullptr;
}

void* thread_of_threads(void* number)
{
    std::uintptr_t serial = reinterpret_cast<std::uintptr_t>(number);
    while (!stop.load(std::memory_order_relaxed)) {
        pthread_t thread;
        serial += 1000;
        const int error =
            pthread_create(&thread, nullptr, short_thread, reinterpret_cast<void*>(serial));
        CHECK(error == 0, "pthread_create: %s", strerror(error));
        pthread_join(thread, nullptr);
    }
    return nullptr;
}

/*
 * One producer's objects on their way to one consumer: a ring of descriptors.  The producer alone
 * moves `made`, the consumer alone moves `taken`; each release pairs with the other's acquire.
 */
struct ring
{
    static constexpr unsigned room = 1024;
    object objects[room];
    std::atomic<unsigned> made;
    std::atomic<unsigned> taken;
};

constexpr int max_threads = 64;
ring rings[max_threads / 2];

void* producer(void* number)
{
    const auto serial = reinterpret_cast<std::uintptr_t>(number);
    ring& to = rings[serial / 2];
    std::uint64_t state = opt.seed * 1000 + serial;
    unsigned made = 0;
    while (!stop.load(std::memory_order_relaxed)) {
        if (made - to.taken.load(std::memory_order_acquire) == ring::room) {
            sched_yield();
            continue;
        }
        make(&to.objects[made % ring::room], &state);
        to.made.store(++made, std::memory_order_release);
    }
    return nullptr;
}

void* consumer(void* number)
{
    ring& from = rings[reinterpret_cast<std::uintptr_t>(number) / 2];
    unsigned taken = 0;
    for (;;) {
        const bool last_round = stop.load(std::memory_order_relaxed);
        if (taken == from.made.load(std::memory_order_acquire)) {
            if (last_round)
                return nullptr;
            sched_yield();
            continue;
        }
        drop(&from.objects[taken % ring::room]);
        from.taken.store(++taken, std::memory_order_release);
    }
}

/* What the producers made after their consumers had left. */
void empty_rings()
{
    for (ring& r : rings)
        for (unsigned i = r.taken; i != r.made; i++)
            drop(&r.objects[i % ring::room]);
}

pthread_t threads[max_threads];

void start_threads()
{
    for (int i = 0; i < opt.threads; i++) {
        void* (*body)(void*) = mixed_thread;
        if (strcmp(opt.mode, "pipeline") == 0)
            body = i % 2 ? consumer : producer;
        else if (strcmp(opt.mode, "short-threads") == 0)
            body = thread_of_threads;
        const auto number = reinterpret_cast<void*>(static_cast<std::uintptr_t>(i));
        CHECK(pthread_create(&threads[i], nullptr, body, number) == 0, "thread %d", i);
    }
}

void join_threads()
{
    stop = true;
    for (int i = 0; i < opt.threads; i++)
        pthread_join(threads[i], nullptr);
    empty_rings();
    empty_exchange();
}

/*
 * The child goes on with what the forking thread had.  What other threads were just writing is not
 * to be looked at: fork copies one page after the other while they write.
 */
[[noreturn]] void run_child(object (&mine)[50], std::uint64_t seed)
{
    alarm(child_seconds);
    for (auto& slot : exchange)
        slot = nullptr;
    for (object& o : mine)
        drop(&o);
    work_until(now() + 0.005, seed);
    exit(0);
}

void fork_until(double end)
{
    static object mine[50];
    std::uint64_t state = opt.seed;
    while (now() < end) {
        for (int i = 0; i < 200; i++)
            random_step(&mine[next_random(&state) % 50], &state);
        const pid_t child = fork();
        CHECK(child >= 0, "fork: %s", strerror(errno));
        if (child == 0)
            run_child(mine, next_random(&state));
        expect_exit(child, 0, "forked child");
    }
    for (object& o : mine)
        drop(&o);
}

void sleep_until(double end)
{
    const timespec some{0, 20000000};
    while (now() < end)
        nanosleep(&some, nullptr);
}

/* Each child starts all threads and leaves by exit() in their midst. */
void exit_until(double end)
{
    while (now() < end) {
        opt.seed++;
        const pid_t child = fork();
        CHECK(child >= 0, "fork: %s", strerror(errno));
        if (child == 0) {
            alarm(child_seconds);
            start_threads();
            sleep_until(now() + 0.04);
            exit(0);
        }
        expect_exit(child, 0, "child that exits while its threads work");
    }
}

void ignore_signal(int) {}

/* Without SA_RESTART: a system call of the allocator that can be interrupted is. */
void start_signals()
{
    struct sigaction action
    {};
    action.sa_handler = ignore_signal;
    sigaction(SIGALRM, &action, nullptr);
    const itimerval each_ms{{0, 1000}, {0, 1000}};
    CHECK(setitimer(ITIMER_REAL, &each_ms, nullptr) == 0, "setitimer: %s", strerror(errno));
}

void read_options(int argc, char** argv)
{
    CHECK(argc > 1, "usage: stress mixed|pipeline|short-threads [threads=N] [seconds=N] [fork] "
                    "[signals] [exit] [seed=N]");
    opt.mode = argv[1];
    for (int i = 2; i < argc; i++) {
        if (strncmp(argv[i], "threads=", 8) == 0)
            opt.threads = atoi(argv[i] + 8);
        else if (strncmp(argv[i], "seconds=", 8) == 0)
            opt.seconds = atof(argv[i] + 8);
        else if (strncmp(argv[i], "seed=", 5) == 0)
            opt.seed = strtoul(argv[i] + 5, nullptr, 10);
        else if (strcmp(argv[i], "fork") == 0)
            opt.forks = true;
        else if (strcmp(argv[i], "signals") == 0)
            opt.signals = true;
        else if (strcmp(argv[i], "exit") == 0)
            opt.exits = true;
        else
            FAIL("what is '%s'?", argv[i]);
    }
    CHECK(opt.threads > 0 && opt.threads <= max_threads, "%d threads", opt.threads);
}

} // namespace

int main(int argc, char** argv)
{
    require_library();
    read_options(argc, argv);
    const double end = now() + opt.seconds;
    if (opt.signals)
        start_signals();
    if (opt.exits) {
        exit_until(end);
        return 0;
    }
    start_threads();
    if (opt.forks)
        fork_until(end);
    else
        sleep_until(end);
    join_threads();
    return 0;
}
