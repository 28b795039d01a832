/// A table of live objects; each operation frees a random one and allocates another in its place.
/// The neighbours of an object die at other times than it does, as in most long-running programs.
#include "common/bench.hpp"

namespace
{

constexpr std::size_t mixed = 0; // sizes 16 ... 1024, small ones frequent

std::size_t pick_size(std::size_t size, bench::random& random)
{
    return size == mixed ? random.log_uniform(16, 1024) : size;
}

void measure(const bench::options& options, bench::report& report, std::size_t live,
             std::size_t size)
{
    bench::mapped_array<void*> table(live);
    bench::random random(live + size);
    for (void*& block : table) {
        block = bench::allocate(pick_size(size, random));
        *static_cast<volatile char*>(block) = 1;
    }

    const long count = options.number("count", 300'000);
    char title[48];
    if (size == mixed)
        std::snprintf(title, sizeof title, "replace/%zu_mixed", live);
    else
        std::snprintf(title, sizeof title, "replace/%zux%zu", live, size);
    report.time(title, count, options.number("repeat", 5), [&] {
        for (long i = 0; i < count; ++i) {
            void*& block = table[random.below(live)];
            std::free(block);
            block = bench::allocate(pick_size(size, random));
            *static_cast<volatile char*>(block) = 1;
        }
    });
    for (void* block : table)
        std::free(block);
}

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    bench::report report;
    const std::size_t largest = options.size("largest", 1'000'000);
    for (std::size_t live = 1'000; live <= largest; live *= live == 1'000 ? 100 : 10)
        for (const std::size_t size : {std::size_t{64}, mixed})
            measure(options, report, live, size);
    report.print();
}
