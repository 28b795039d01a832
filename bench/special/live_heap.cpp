/// What an operation costs as the live heap grows: fill a heap to `mib` MiB with objects of 64 B to
/// 8 KiB, then replace random ones.  The number of replacements does not depend on the heap.
#include "common/bench.hpp"

namespace
{

std::size_t pick_size(bench::random& random)
{
    return random.log_uniform(64, 8192);
}

void* acquire(std::size_t size)
{
    void* block = bench::allocate(size);
    bench::touch(block, size);
    return block;
}

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    const std::size_t volume = options.size("mib", 10) * 1024 * 1024;
    const long count = options.number("count", 300'000);
    constexpr std::size_t smallest_mean = 1024; // the mean of the sizes is 1.6 KiB
    bench::mapped_array<void*> table(volume / smallest_mean + 1);
    bench::random random(9);

    std::size_t objects = 0;
    std::int64_t start = bench::now_ns();
    for (std::size_t bytes = 0; bytes < volume && objects < table.size();) {
        const std::size_t size = pick_size(random);
        table[objects++] = acquire(size);
        bytes += size;
    }
    std::int64_t fill = bench::now_ns() - start;

    bench::report report;
    report.add_time("fill", static_cast<long>(objects), &fill, 1);
    report.time("replace", count, options.number("repeat", 3), [&] {
        for (long i = 0; i < count; ++i) {
            void*& block = table[random.below(objects)];
            std::free(block);
            block = acquire(pick_size(random));
        }
    });
    report.add_value("end_rss_kib", bench::resident_kib());
    report.print();
}
