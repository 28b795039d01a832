/// Blocks larger than any slab: allocate, touch each page (or only the first), free.
#include "common/bench.hpp"

namespace
{

constexpr std::size_t mib = 1024 * 1024;

void measure(const bench::options& options, bench::report& report, std::size_t size, bool touched)
{
    const long count = options.number(
        "count", std::max(2L, static_cast<long>((touched ? 128 : 1024) * mib / size)));
    char title[48];
    std::snprintf(title, sizeof title, "huge_%s/%s", touched ? "touched" : "first_page",
                  bench::size_name(size).text);
    report.time(title, count, options.number("repeat", 3), [&] {
        for (long i = 0; i < count; ++i) {
            void* block = bench::allocate(size);
            bench::touch(block, touched ? size : 1);
            std::free(block);
        }
    });
}

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    bench::report report;
    bench::in_rounds(options, [&] {
        for (const std::size_t size : {6 * mib, 16 * mib, 64 * mib})
            for (const bool touched : {false, true})
                measure(options, report, size, touched);
    });
    report.print();
}
