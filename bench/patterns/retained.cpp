/// Objects that outlive their thread: in each iteration new threads allocate many small and a few
/// larger objects, keep some, drop the others, and exchange objects with a table that survives them
/// all; then they end, and half of the table is dropped by the main thread.
///
/// Published: D. Leijen, mimalloc, test/test-stress.c (known as mstress): "simulate a real-world
/// server workload", objects retained over the death of threads.
#include "common/bench.hpp"
#include "common/threads.hpp"

namespace
{

constexpr std::size_t transfer_slots = 4000;

std::mutex transfer_mutex;
void* transfer[transfer_slots];

void* acquire(bench::random& random)
{
    const std::size_t size = random.below(100) == 0  ? random.log_uniform(4096, 128 * 1024)
                             : random.below(10) == 0 ? random.log_uniform(512, 4096)
                                                     : random.log_uniform(8, 512);
    void* block = bench::allocate(size);
    std::memset(block, 1, size);
    return block;
}

/// Frees half of what it allocates soon, keeps the rest until the end of the thread, and swaps a
/// few objects with the table on the way.
void work(void** kept, std::size_t objects, bench::random& random)
{
    std::size_t count = 0;
    for (std::size_t i = 0; i < objects; ++i) {
        kept[count++] = acquire(random);
        if (random.below(2) == 0)
            std::free(kept[--count]);
        if (count > 0 && random.below(10) == 0) {
            const std::lock_guard hold(transfer_mutex);
            std::swap(kept[random.below(count)], transfer[random.below(transfer_slots)]);
        }
    }
    while (count > 0)
        std::free(kept[--count]);
}

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    const auto threads = static_cast<std::size_t>(options.threads());
    const long iterations = options.number("iterations", 20);
    const std::size_t objects =
        options.size("work", 2'000'000) / threads / static_cast<std::size_t>(iterations);
    bench::mapped_array<void*> kept(threads * objects);
    bench::random random(5);

    std::int64_t start = bench::now_ns();
    for (long iteration = 0; iteration < iterations; ++iteration) {
        bench::run_threads(options.threads(), [&](int index) {
            const auto seat = static_cast<std::size_t>(index);
            bench::random mine(static_cast<std::size_t>(iteration) * threads + seat + 1);
            work(&kept[seat * objects], objects, mine);
        });
        for (void*& block : transfer)
            if (random.below(2) == 0) {
                std::free(block);
                block = nullptr;
            }
    }
    std::int64_t elapsed = bench::now_ns() - start;

    bench::report report;
    report.add_time("object", static_cast<long>(objects * threads) * iterations, &elapsed, 1);
    report.print();
}
