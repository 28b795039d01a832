/// Big blocks of 5 to 25 MiB: a live set of sixteen, random ones replaced, each page written.  The
/// memory of the freed blocks is resident; an allocator that gives it back at once pays a page
/// fault for every page again.
///
/// Published: mimalloc-bench (D. Leijen, E. Jones), "malloc-large", after mimalloc issue 34.
#include "common/bench.hpp"
#include "common/threads.hpp"

namespace
{

constexpr std::size_t mib = 1024 * 1024;
constexpr std::size_t all_slots = 16;

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    const auto threads = static_cast<std::size_t>(options.threads());
    const long work = options.number("work", 256);
    const std::size_t slots = std::max<std::size_t>(all_slots / threads, 1);
    bench::mapped_array<void*> table(slots * threads);

    std::int64_t start = bench::now_ns();
    bench::run_threads(options.threads(), [&](int index) {
        const auto seat = static_cast<std::size_t>(index);
        bench::random random(seat + 1);
        for (long i = 0; i < work / static_cast<long>(threads); ++i) {
            void*& slot = table[seat * slots + random.below(slots)];
            const std::size_t size = random.between(5 * mib, 25 * mib);
            std::free(slot);
            slot = bench::allocate(size);
            bench::touch(slot, size);
        }
    });
    std::int64_t elapsed = bench::now_ns() - start;

    bench::report report;
    report.add_time("block", work, &elapsed, 1);
    report.print();
}
