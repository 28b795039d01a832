/// Does memory come back?  150,000 blocks of 512 bytes, 100,000 of 1 KiB and 50,000 of 2 KiB, in
/// mixed order; one in twenty survives.  Then 10 seconds without a call to malloc, then
/// malloc_trim(0); the resident memory after each step.
#include <malloc.h>

#include "common/bench.hpp"

namespace
{

struct kind
{
    std::size_t size;
    std::size_t count;
};

constexpr kind kinds[] = {{512, 150'000}, {1024, 100'000}, {2048, 50'000}};
constexpr std::size_t survivor_share = 20;

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    bench::random random(3);
    std::size_t total = 0;
    for (const kind& kind : kinds)
        total += kind.count;
    bench::mapped_array<void*> block(total);
    bench::mapped_array<std::size_t> size(total);

    std::size_t filled = 0;
    for (const kind& kind : kinds)
        for (std::size_t i = 0; i < kind.count; ++i)
            size[filled++] = kind.size;
    bench::shuffle(size.begin(), size.end(), random);
    for (std::size_t i = 0; i < total; ++i) {
        block[i] = bench::allocate(size[i]);
        std::memset(block[i], 1, size[i]);
    }
    const double full = bench::resident_kib();

    double live_kib = 0;
    for (std::size_t i = 0; i < total; ++i) {
        if (random.below(survivor_share) == 0)
            live_kib += static_cast<double>(size[i]) / 1024;
        else
            std::free(block[i]);
    }
    bench::sleep_ms(options.number("idle_ms", 10'000));
    const double idle = bench::resident_kib();
    malloc_trim(0);
    const double trimmed = bench::resident_kib();

    bench::report report;
    report.add_value("live_kib", live_kib);
    report.add_value("full_rss_kib", full);
    report.add_value("idle_rss_kib", idle);
    report.add_value("trimmed_rss_kib", trimmed);
    report.print();
}
