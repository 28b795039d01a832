/// Lifetimes after Pareto: four fifths of all operations hit one fifth of the slots.  A full slot
/// is read and freed, an empty one is filled.  Many blocks die young, some live for the whole run.
///
/// Published: I. Ignatchenko, D. Ivankov, "Testing Memory Allocators: ptmalloc2 vs tcmalloc vs
/// hoard vs jemalloc, While Trying to Simulate Real-World Loads", ITHare, 2018.
#include "common/bench.hpp"
#include "common/threads.hpp"

namespace
{

struct slot
{
    char* block;
    std::size_t size;
};

/// u^7 is below 0.2 with a probability of 0.795.
std::size_t pareto_index(std::size_t slots, bench::random& random)
{
    const double u = random.fraction();
    const double cube = u * u * u;
    return static_cast<std::size_t>(cube * cube * u * static_cast<double>(slots));
}

long operate(slot& slot, bench::random& random)
{
    if (slot.block) {
        long sum = 0;
        for (std::size_t i = 0; i < slot.size; i += 64)
            sum += slot.block[i];
        std::free(slot.block);
        slot.block = nullptr;
        return sum;
    }
    slot.size = random.log_uniform(8, 4096);
    slot.block = static_cast<char*>(bench::allocate(slot.size));
    std::memset(slot.block, 1, slot.size);
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    const auto threads = static_cast<std::size_t>(options.threads());
    const long work = options.number("work", 4'000'000);
    const std::size_t slots = options.size("slots", 256 * 1024) / threads;
    bench::mapped_array<slot> table(slots * threads);

    std::int64_t start = bench::now_ns();
    bench::run_threads(options.threads(), [&](int index) {
        const auto seat = static_cast<std::size_t>(index);
        bench::random random(seat + 1);
        long sum = 0;
        for (long i = 0; i < work / static_cast<long>(threads); ++i)
            sum += operate(table[seat * slots + pareto_index(slots, random)], random);
        bench::escape(&sum);
    });
    std::int64_t elapsed = bench::now_ns() - start;

    bench::report report;
    report.add_time("operation", work, &elapsed, 1);
    report.print();
}
