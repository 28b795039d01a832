/*
 * Forks while the first allocation of a process is under way: the child must be able to allocate.
 *
 *   first_fork_stress [rounds=N]
 *
 * Each round is a process of its own that has no arena yet: one thread allocates, the other forks.
 */
#include "heap/heap.hpp"
#include "model/books.hpp"

#include <atomic>
#include <cstdio>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace
{

namespace heap = bsl::heap;

/// Forks, calls fn() in the child, and fails if the child does or needs more than `seconds`.
template <typename Fn>
void in_child(unsigned seconds, Fn fn)
{
    const pid_t child = fork();
    if (child == 0) {
        alarm(seconds);
        fn();
        _exit(0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        test::fail("a child failed: status %#x", static_cast<unsigned>(status));
}

void allocate()
{
    for (const unsigned size : {100U, 5000U, 300000U, 9U << 20}) {
        void* p = heap::malloc(size);
        if (p == nullptr)
            test::fail("no memory for %u bytes", size);
        heap::free(p);
    }
}

/// Forks `delay` turns after another thread has begun with the first allocation.
void be_first(unsigned delay)
{
    std::atomic<bool> begun{false};
    std::thread other([&begun] {
        begun.store(true, std::memory_order_release);
        allocate();
    });
    while (!begun.load(std::memory_order_acquire)) {
    }
    for (std::atomic<unsigned> turns{0}; turns.fetch_add(1, std::memory_order_relaxed) < delay;) {
    }
    in_child(20, allocate);
    other.join();
}

} // namespace

int main(int argc, char** argv)
{
    unsigned rounds = 500;
    if (argc > 2 || (argc == 2 && std::sscanf(argv[1], "rounds=%u", &rounds) != 1)) {
        std::fprintf(stderr, "first_fork_stress: what is '%s'?\n", argv[1]);
        return 2;
    }
    constexpr unsigned longest_delay = 20000; // about the time that the first allocation takes
    for (unsigned round = 0; round < rounds; ++round)
        in_child(60, [round] { be_first(round * 7919 % longest_delay); });
    return 0;
}
