/// Batches with migration: each thread allocates a batch of many sizes, frees one third in the
/// order of allocation, one third against it, and exchanges the last third with whatever another
/// thread left, so that a part of all blocks dies in a foreign thread.
///
/// Published: MicroQuill's SmartHeap benchmarks, described by its authors as "sh6" (batches of
/// mixed size and order) and "sh8" (the same, with blocks that migrate between threads).
#include <utility>

#include "common/bench.hpp"
#include "common/threads.hpp"

namespace
{

constexpr std::size_t third = 2000;

/// What threads leave for each other: at any time one third of a batch, or nothing at first.
class exchange
{
public:
    void swap(void** block)
    {
        const std::lock_guard hold(mutex_);
        std::swap_ranges(block, block + third, block_);
    }

private:
    std::mutex mutex_;
    void* block_[third] = {};
};

constexpr int nr_exchanges = 4;
exchange exchanges[nr_exchanges];

void run_batch(void** block, bench::random& random, std::size_t which)
{
    for (std::size_t i = 0; i < 3 * third; ++i) {
        block[i] = bench::allocate(random.log_uniform(8, 2000));
        *static_cast<volatile char*>(block[i]) = 1;
    }
    for (std::size_t i = 0; i < third; ++i)
        std::free(block[i]);
    for (std::size_t i = 2 * third; i-- > third;)
        std::free(block[i]);

    void** migrants = block + 2 * third;
    exchanges[which % nr_exchanges].swap(migrants);
    for (std::size_t i = 0; i < third; ++i)
        std::free(migrants[i]);
}

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    const int threads = options.threads();
    const long batches = options.number("work", 4'000'000) / long{3 * third};
    bench::mapped_array<void*> blocks(static_cast<std::size_t>(threads) * 3 * third);

    std::int64_t start = bench::now_ns();
    bench::run_threads(threads, [&](int index) {
        const auto seat = static_cast<std::size_t>(index);
        bench::random random(seat + 1);
        for (long i = index; i < batches; i += threads)
            run_batch(&blocks[seat * 3 * third], random, random.below(nr_exchanges));
    });
    std::int64_t elapsed = bench::now_ns() - start;

    bench::report report;
    report.add_time("block", batches * long{3 * third}, &elapsed, 1);
    report.print();
}
