/// One block of `mib` MiB, taken from the system and written for the first time: what it costs to get memory.
#include "common/bench.hpp"

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    const std::size_t size = options.size("mib", 1024) * 1024 * 1024;

    const std::int64_t start = bench::now_ns();
    void* block = bench::allocate(size);
    bench::touch(block, size);
    std::int64_t elapsed = bench::now_ns() - start;
    std::free(block);

    bench::report report;
    report.add_time("mib", static_cast<long>(size >> 20), &elapsed, 1);
    report.print();
}
