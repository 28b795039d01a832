/*
 * The mutex, contended, while one thread freezes and thaws as fork() does.
 *
 *   mutex_stress [threads=N] [seconds=N]
 *
 * Threads take one of a few mutexes, or all of them in order, and count under them; the counters are
 * plain variables, so that the thread sanitizer has a say.  One more thread plays the forking one: it
 * freezes every mutex, must then find the counters at rest, may take frozen mutexes itself, and thaws.
 *
 * A lost wake-up is a thread that sleeps for ever: the alarm ends the process.
 */
#include "locking/mutex.hpp"

#include "host/thread.hpp"
#include "model/books.hpp"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <random>
#include <thread>
#include <unistd.h>
#include <vector>

namespace
{

using bsl::lock_rank;
using test::fail;

constexpr unsigned nr_mutexes = 3;

/// The registry's rank lets the other two follow.
bsl::mutex mutexes[nr_mutexes] = {bsl::mutex{lock_rank::registry}, bsl::mutex{lock_rank::thread},
                                  bsl::mutex{lock_rank::zone}};

/// Counters under the mutex of the same number; they differ only inside.
struct counters
{
    unsigned long before = 0;
    unsigned long after = 0;
};
counters counts[nr_mutexes];

std::atomic<bool> stop{false};

void count(unsigned i)
{
    if (counts[i].before != counts[i].after)
        fail("two threads inside mutex %u", i);
    ++counts[i].before;
    // Some holders stay long enough for others to fall asleep.
    if (counts[i].before % 64 == 0)
        std::this_thread::yield();
    ++counts[i].after;
}

void work(unsigned seed, std::vector<unsigned long>& done)
{
    std::minstd_rand random(seed);
    while (!stop.load(std::memory_order_relaxed)) {
        if (random() % 4 != 0) {
            const unsigned i = random() % nr_mutexes;
            bsl::mutex_guard guard(mutexes[i]);
            count(i);
            ++done[i];
            continue;
        }
        for (bsl::mutex& m : mutexes)
            m.lock();
        for (unsigned i = nr_mutexes; i-- != 0;) {
            count(i);
            ++done[i];
            mutexes[i].unlock();
        }
    }
}

/// Freezes all, looks around as the child would see it, enters some as a handler would, thaws.
void play_fork(std::minstd_rand& random, std::vector<unsigned long>& done)
{
    bsl::mutex::set_fork_owner(bsl::host::thread_pointer());
    for (bsl::mutex& m : mutexes)
        m.freeze();
    counters seen[nr_mutexes];
    for (unsigned i = 0; i < nr_mutexes; ++i) {
        seen[i] = counts[i];
        if (seen[i].before != seen[i].after)
            fail("frozen with a thread inside mutex %u", i);
    }
    if (random() % 2 == 0)
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 300));
    for (unsigned i = 0; i < nr_mutexes; ++i) {
        if (counts[i].before != seen[i].before)
            fail("a thread has entered mutex %u although it was frozen", i);
        if (random() % 2 != 0)
            continue;
        bsl::mutex_guard guard(mutexes[i]);
        count(i);
        ++done[i];
    }
    for (bsl::mutex& m : mutexes)
        m.thaw();
    bsl::mutex::set_fork_owner(0);
}

} // namespace

int main(int argc, char** argv)
{
    unsigned long nr_threads = 4;
    unsigned long seconds = 4;
    for (int i = 1; i < argc; ++i) {
        if (std::sscanf(argv[i], "threads=%lu", &nr_threads) != 1 &&
            std::sscanf(argv[i], "seconds=%lu", &seconds) != 1)
            return 2;
    }
    alarm(static_cast<unsigned>(seconds + 60));

    std::vector<std::vector<unsigned long>> done(nr_threads + 1,
                                                 std::vector<unsigned long>(nr_mutexes));
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < nr_threads; ++i)
        threads.emplace_back([i, &done] { work(i + 1, done[i]); });

    std::minstd_rand random(4711);
    unsigned long nr_forks = 0;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    for (; std::chrono::steady_clock::now() < end; ++nr_forks) {
        play_fork(random, done[nr_threads]);
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 500));
    }
    stop.store(true);
    for (std::thread& thread : threads)
        thread.join();

    for (unsigned i = 0; i < nr_mutexes; ++i) {
        unsigned long sum = 0;
        for (const std::vector<unsigned long>& of_thread : done)
            sum += of_thread[i];
        if (counts[i].before != sum || counts[i].after != sum)
            fail("mutex %u: %lu and %lu counted, %lu done", i, counts[i].before, counts[i].after,
                 sum);
    }
    std::printf("%lu forks\n", nr_forks);
    return nr_forks == 0 ? 1 : 0;
}
