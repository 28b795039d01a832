/// Random sizes that cross threads: each thread allocates groups of blocks up to 64 KiB, small ones
/// more often, keeps some groups alive, frees the others itself, and posts every third group to
/// its neighbour, who frees it.
///
/// Published: M. Jansson, rpmalloc-benchmark (github.com/mjansson/rpmalloc-benchmark, known as
/// rptest): random sizes with a falling distribution, a live set per thread, cross-thread frees.
#include "common/bench.hpp"
#include "common/threads.hpp"

namespace
{

constexpr std::size_t group_blocks = 100;
constexpr std::size_t live_groups = 200; // of all threads together
constexpr int max_threads = 256;

struct group
{
    void* block[group_blocks];
};

/// A letter box for one group.
class mailbox
{
public:
    void swap(group& group)
    {
        const std::lock_guard hold(mutex_);
        std::swap(group, group_);
    }

private:
    std::mutex mutex_;
    group group_{};
};

mailbox mailboxes[max_threads];

void fill(group& group, bench::random& random)
{
    for (void*& block : group.block) {
        const double falling = random.fraction() * random.fraction() * random.fraction();
        const std::size_t size = 16 + static_cast<std::size_t>(falling * 64 * 1024);
        block = bench::allocate(size);
        bench::touch(block, size);
    }
}

void drain(group& group)
{
    for (void*& block : group.block) {
        std::free(block);
        block = nullptr;
    }
}

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    const int threads = std::min(options.threads(), max_threads);
    const long groups = options.number("work", 1'000'000) / long{group_blocks};
    const std::size_t kept =
        std::max<std::size_t>(live_groups / static_cast<std::size_t>(threads), 1);
    bench::mapped_array<group> live(kept * static_cast<std::size_t>(threads));

    std::int64_t start = bench::now_ns();
    bench::run_threads(threads, [&](int index) {
        const auto seat = static_cast<std::size_t>(index);
        bench::random random(seat + 1);
        for (long i = index; i < groups; i += threads) {
            group& mine = live[seat * kept + random.below(kept)];
            if (random.below(3) == 0)
                mailboxes[(index + 1) % threads].swap(mine);
            drain(mine);
            fill(mine, random);
        }
    });
    std::int64_t elapsed = bench::now_ns() - start;

    bench::report report;
    report.add_time("block", groups * long{group_blocks}, &elapsed, 1);
    report.print();
}
