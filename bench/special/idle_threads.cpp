/// Two thousand threads that did a burst of work each and then wait: what do their caches hold?
/// The figure is the resident memory beyond that of the same threads before the burst, without the
/// live blocks.  At most 16 work at a time, as in a busy pool.
#include <barrier>
#include <latch>
#include <semaphore>

#include "common/bench.hpp"
#include "common/threads.hpp"

namespace
{

constexpr std::size_t burst_blocks = 400;
constexpr std::size_t live_blocks = 4;
constexpr int at_once = 16;

/// Returns the bytes that stay live.
std::size_t burst(void** kept, bench::random& random)
{
    void* block[burst_blocks];
    std::size_t live = 0;
    for (std::size_t i = 0; i < burst_blocks; ++i) {
        const std::size_t size = random.log_uniform(16, 2048);
        block[i] = bench::allocate(size);
        std::memset(block[i], 1, size);
        if (i < live_blocks)
            live += size;
    }
    std::copy(block, block + live_blocks, kept);
    for (std::size_t i = live_blocks; i < burst_blocks; ++i)
        std::free(block[i]);
    return live;
}

/// Writes the part of the stack that burst() will use, so that it does not count.
[[gnu::noinline]] void touch_stack()
{
    char stack[burst_blocks * sizeof(void*) + 8192];
    bench::touch(stack, sizeof stack);
    bench::escape(stack);
}

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    const auto threads = static_cast<int>(options.number("threads", 2000));
    const long idle_ms = options.number("idle_ms", 2000);
    std::barrier everybody(threads + 1);
    std::latch all_done(threads);
    std::counting_semaphore<at_once> turn(0);
    bench::mapped_array<void*> kept(static_cast<std::size_t>(threads) * live_blocks);
    bench::mapped_array<std::size_t> live(static_cast<std::size_t>(threads));
    double before = 0;
    double after = 0;

    // One more: the last one only looks at the resident memory.
    bench::run_threads(threads + 1, [&](int index) {
        const auto seat = static_cast<std::size_t>(index);
        if (index == threads) {
            everybody.arrive_and_wait();
            before = bench::resident_kib();
            turn.release(at_once);
            all_done.wait();
            bench::sleep_ms(idle_ms);
            after = bench::resident_kib();
            everybody.arrive_and_wait();
            return;
        }
        touch_stack();
        bench::random random(seat + 1);
        everybody.arrive_and_wait();
        turn.acquire();
        live[seat] = burst(&kept[seat * live_blocks], random);
        turn.release();
        all_done.count_down();
        everybody.arrive_and_wait();
    });

    std::size_t live_bytes = 0;
    for (const std::size_t bytes : live)
        live_bytes += bytes;
    bench::report report;
    report.add_value("beyond_live_kib", after - before - static_cast<double>(live_bytes) / 1024);
    report.add_value("live_kib", static_cast<double>(live_bytes) / 1024);
    report.print();
}
