/// realloc: growth by doubling, growth by small steps, shrinking, and a size that swings inside and
/// outside one size class.
#include "common/bench.hpp"

namespace
{

void* resize(void* block, std::size_t size)
{
    void* resized = std::realloc(block, size);
    if (!resized)
        std::_Exit(1);
    bench::escape(resized);
    static_cast<volatile char*>(resized)[size - 1] = 1;
    return resized;
}

/// Each visitor returns how many calls of realloc it made.
long grow_by_doubling()
{
    long calls = 0;
    void* block = bench::allocate(16);
    for (std::size_t size = 32; size <= 1024 * 1024; size *= 2, ++calls)
        block = resize(block, size);
    std::free(block);
    return calls;
}

long grow_by_steps(std::size_t step, std::size_t end)
{
    long calls = 0;
    void* block = bench::allocate(step);
    for (std::size_t size = 2 * step; size <= end; size += step, ++calls)
        block = resize(block, size);
    std::free(block);
    return calls;
}

long shrink_by_halving()
{
    long calls = 0;
    void* block = bench::allocate(1024 * 1024);
    for (std::size_t size = 512 * 1024; size >= 16; size /= 2, ++calls)
        block = resize(block, size);
    std::free(block);
    return calls;
}

long swing(std::size_t low, std::size_t high)
{
    constexpr long calls = 1000;
    void* block = bench::allocate(low);
    for (long i = 0; i < calls; ++i)
        block = resize(block, i % 2 ? low : high);
    std::free(block);
    return calls;
}

template <class Visit>
void measure(const bench::options& options, bench::report& report, const char* name, Visit visit)
{
    const long calls = visit(); // also the warm-up
    const long rounds = std::max(1L, options.number("count", 20'000) / calls);
    report.time(name, rounds * calls, options.number("repeat", 2), [&] {
        for (long round = 0; round < rounds; ++round)
            visit();
    });
}

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    bench::report report;
    bench::in_rounds(options, [&] {
        measure(options, report, "realloc/double_to_1M", grow_by_doubling);
        measure(options, report, "realloc/step16_to_4K", [] { return grow_by_steps(16, 4096); });
        measure(options, report, "realloc/step4K_to_1M",
                [] { return grow_by_steps(4096, 1024 * 1024); });
        measure(options, report, "realloc/halve_from_1M", shrink_by_halving);
        measure(options, report, "realloc/swing_in_class", [] { return swing(200, 208); });
        measure(options, report, "realloc/swing_200_1000", [] { return swing(200, 1000); });
    });
    report.print();
}
