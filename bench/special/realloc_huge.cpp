/// One block that realloc grows to 1 GiB in steps of 64 KiB; each new page is written once.
#include "common/bench.hpp"

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    constexpr std::size_t step = 64 * 1024;
    const std::size_t end = options.size("work", std::size_t{1} << 30);

    std::int64_t start = bench::now_ns();
    char* block = nullptr;
    for (std::size_t size = step; size <= end; size += step) {
        block = static_cast<char*>(std::realloc(block, size));
        if (!block)
            return 1;
        bench::touch(block + size - step, step);
    }
    std::int64_t elapsed = bench::now_ns() - start;
    std::free(block);

    bench::report report;
    report.add_time("step", static_cast<long>(end / step), &elapsed, 1);
    report.print();
}
