/// Huge blocks in a fragmented heap: 1 GiB in pieces of 64 KiB to 4 MiB, each page written; then
/// all but every 16th piece is freed (keep=16), or all of them (keep=0); then blocks of 64 MiB are
/// allocated and written.  The process owns much resident memory, but no 64 MiB in one piece.
#include "common/bench.hpp"

namespace
{

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;
constexpr std::size_t huge = 64 * mib;
constexpr std::size_t max_huge_blocks = 8;

std::size_t fill(bench::mapped_array<void*>& piece, std::size_t volume)
{
    bench::random random(11);
    std::size_t count = 0;
    for (std::size_t bytes = 0; bytes < volume && count < piece.size();) {
        const std::size_t size = random.log_uniform(64 * kib, 4 * mib);
        piece[count] = bench::allocate(size);
        bench::touch(piece[count++], size);
        bytes += size;
    }
    return count;
}

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    const std::size_t volume = options.size("work", 1024 * mib);
    const std::size_t keep = options.size("keep", 16);
    bench::mapped_array<void*> piece(volume / (64 * kib) + 1);

    const std::size_t count = fill(piece, volume);
    for (std::size_t i = 0; i < count; ++i)
        if (keep == 0 || i % keep != 0)
            std::free(piece[i]);

    const std::size_t huge_blocks = std::min(options.size("blocks", 8), max_huge_blocks);
    std::int64_t sample[max_huge_blocks];
    void* block[max_huge_blocks] = {};
    for (std::size_t i = 0; i < huge_blocks; ++i) {
        const std::int64_t start = bench::now_ns();
        block[i] = bench::allocate(huge);
        bench::touch(block[i], huge);
        sample[i] = bench::now_ns() - start;
    }

    bench::report report;
    report.add_time("64M_block", 1, sample, static_cast<long>(huge_blocks));
    report.add_value("end_rss_kib", bench::resident_kib());
    for (void* one : block)
        std::free(one);
    report.print();
}
