/// Idle after a burst: the threads allocate, free everything but one block in a hundred, and then
/// wait; nobody calls malloc.  What is resident after the wait is what the service costs at night.
///
/// Published: the decay of jemalloc's unused pages (jemalloc(3), opt.dirty_decay_ms) was made for
/// this; A. Hunter et al., "Beyond malloc efficiency to fleet efficiency", OSDI 2021, section 4.
#include <barrier>

#include "common/bench.hpp"
#include "common/threads.hpp"

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    const auto threads = static_cast<std::size_t>(options.threads());
    const std::size_t blocks = options.size("work", 400'000) / threads;
    const long idle_ms = options.number("idle_ms", 3000);
    bench::mapped_array<void*> table(blocks * threads);
    std::barrier waiting(static_cast<std::ptrdiff_t>(threads) + 1);
    double idle_rss = 0;

    // One more: the last one only looks at the clock and at the resident memory.
    bench::run_threads(static_cast<int>(threads) + 1, [&](int index) {
        const auto seat = static_cast<std::size_t>(index);
        if (seat == threads) {
            waiting.arrive_and_wait();
            bench::sleep_ms(idle_ms);
            idle_rss = bench::resident_kib();
            waiting.arrive_and_wait();
            return;
        }
        bench::random random(seat + 1);
        void** mine = &table[seat * blocks];
        for (std::size_t i = 0; i < blocks; ++i) {
            const std::size_t size = random.log_uniform(16, 1024);
            mine[i] = bench::allocate(size);
            std::memset(mine[i], 1, size);
        }
        bench::shuffle(mine, mine + blocks, random);
        for (std::size_t i = 0; i < blocks - blocks / 100; ++i)
            std::free(mine[i]);
        waiting.arrive_and_wait();
        waiting.arrive_and_wait();
    });

    bench::report report;
    report.add_value("idle_rss_kib", idle_rss);
    report.print();
}
