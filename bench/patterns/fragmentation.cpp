/// Fragmentation over time: grow a heap of small objects, free 19 of 20 at random, then grow it to
/// the same volume with objects of other sizes; three times.  The survivors of each step hold the
/// memory of their neighbours; the peak shows how well the holes are used again.
///
/// Published: S. Rumble, A. Kejriwal, J. Ousterhout, "Log-Structured Memory for DRAM-Based
/// Storage", FAST 2014 (workloads W1 to W8); P. Wilson et al., "Dynamic Storage Allocation: A
/// Survey and Critical Review", IWMM 1995.
#include "common/bench.hpp"
#include "common/threads.hpp"

namespace
{

struct sizes
{
    std::size_t low;
    std::size_t high;
};

constexpr sizes steps[] = {{50, 150}, {200, 300}, {600, 1500}, {40, 100}};
constexpr std::size_t smallest_mean = 70;

class heap
{
public:
    explicit heap(std::size_t volume, std::uint64_t seed)
        : volume_(volume), table_(volume / smallest_mean * 2), random_(seed)
    {}

    void grow(sizes sizes)
    {
        for (std::size_t bytes = survivor_bytes_; bytes < volume_;) {
            const std::size_t size = random_.between(sizes.low, sizes.high);
            void* block = bench::allocate(size);
            std::memset(block, 1, size);
            table_[count_++] = block;
            bytes += size;
        }
        survivor_bytes_ = volume_ / 20;
    }

    void thin_out()
    {
        std::size_t kept = 0;
        for (std::size_t i = 0; i < count_; ++i) {
            if (random_.below(20) == 0)
                table_[kept++] = table_[i];
            else
                std::free(table_[i]);
        }
        count_ = kept;
    }

    std::size_t objects() const { return count_; }

private:
    std::size_t volume_;
    bench::mapped_array<void*> table_;
    bench::random random_;
    std::size_t count_ = 0;
    std::size_t survivor_bytes_ = 0;
};

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    const int threads = options.threads();
    const std::size_t volume = options.size("work", 64 * 1024 * 1024);

    std::int64_t start = bench::now_ns();
    bench::run_threads(threads, [&](int index) {
        heap heap(volume / static_cast<std::size_t>(threads),
                  static_cast<std::uint64_t>(index) + 1);
        for (const sizes& sizes : steps) {
            heap.grow(sizes);
            heap.thin_out();
        }
    });
    std::int64_t elapsed = bench::now_ns() - start;

    bench::report report;
    report.add_time("byte", static_cast<long>(volume * std::size(steps)), &elapsed, 1);
    report.add_value("end_rss_kib", bench::resident_kib());
    report.print();
}
