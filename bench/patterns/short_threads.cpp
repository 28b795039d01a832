/// Threads that live for a moment: each does a small job of some hundred blocks, leaves a few
/// survivors in a table that all threads share, frees those it pushes out, and ends.  What a thread
/// costs to set up and to tear down counts as much as its blocks.
///
/// Published: the thread-per-request server in E. Berger et al., "Hoard: A Scalable Memory
/// Allocator for Multithreaded Applications", ASPLOS 2000 (the programs threadtest and Larson's).
#include "common/bench.hpp"
#include "common/threads.hpp"

namespace
{

constexpr std::size_t job_blocks = 400;
constexpr std::size_t survivors = 20;
constexpr std::size_t table_slots = 20'000;

std::mutex table_mutex;
void* table[table_slots];

void* acquire(bench::random& random)
{
    void* block = bench::allocate(random.log_uniform(16, 2048));
    *static_cast<volatile char*>(block) = 1;
    return block;
}

void do_job(std::uint64_t seed)
{
    bench::random random(seed);
    void* block[job_blocks];
    for (void*& slot : block)
        slot = acquire(random);
    bench::shuffle(block, block + job_blocks, random);
    {
        const std::lock_guard hold(table_mutex);
        for (std::size_t i = 0; i < survivors; ++i)
            std::swap(block[i], table[random.below(table_slots)]);
    }
    for (void* slot : block)
        std::free(slot);
}

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    const int threads = options.threads();
    const long jobs = options.number("work", 2'000'000) / long{job_blocks};

    std::int64_t start = bench::now_ns();
    for (long done = 0; done < jobs; done += threads)
        bench::run_threads(threads,
                           [&](int index) { do_job(static_cast<std::uint64_t>(done + index)); });
    std::int64_t elapsed = bench::now_ns() - start;

    bench::report report;
    report.add_time("job", jobs, &elapsed, 1);
    report.print();
}
