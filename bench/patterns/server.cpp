/// A server that hands its work over: each lane owns a table of live blocks and replaces random
/// ones; after a while its thread starts a successor, gives it the table, and ends.  So a block is
/// freed by a thread that did not allocate it, often after the allocating thread is gone.
///
/// Published: P. Larson, M. Krishnan, "Memory Allocation for Long-Running Server Applications",
/// ISMM 1998.
#include <latch>

#include "common/bench.hpp"
#include "common/threads.hpp"

namespace
{

constexpr std::size_t smallest = 8;
constexpr std::size_t largest = 1000;

struct lane
{
    void** table;
    std::size_t slots;
    long replacements; // of one generation
    long generations;  // that are still to come
    bench::random random{1};
    std::latch* done;
    const pthread_attr_t* detached;
};

void* acquire(bench::random& random)
{
    const std::size_t size = random.between(smallest, largest);
    auto* block = static_cast<volatile char*>(bench::allocate(size));
    block[0] = 1;
    block[size - 1] = 1;
    return const_cast<char*>(block);
}

void* serve(void* argument)
{
    lane& mine = *static_cast<lane*>(argument);
    for (long i = 0; i < mine.replacements; ++i) {
        void*& slot = mine.table[mine.random.below(mine.slots)];
        std::free(slot);
        slot = acquire(mine.random);
    }
    if (--mine.generations > 0)
        bench::start_thread(serve, &mine, mine.detached);
    else
        mine.done->count_down();
    return nullptr;
}

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    const auto threads = static_cast<std::size_t>(options.threads());
    const long work = options.number("work", 4'000'000);
    const long generations = options.number("generations", 10);
    const std::size_t slots = options.size("slots", 64'000) / threads;

    bench::mapped_array<void*> table(slots * threads);
    bench::random random(7);
    for (void*& slot : table)
        slot = acquire(random);

    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    std::latch done(static_cast<std::ptrdiff_t>(threads));
    bench::mapped_array<lane> lanes(threads);
    const std::int64_t start = bench::now_ns();
    for (std::size_t i = 0; i < threads; ++i) {
        lanes[i] = {table.begin() + i * slots,
                    slots,
                    work / static_cast<long>(threads) / generations,
                    generations,
                    bench::random(i + 1),
                    &done,
                    &detached};
        bench::start_thread(serve, &lanes[i], &detached);
    }
    done.wait();
    std::int64_t elapsed = bench::now_ns() - start;

    bench::report report;
    report.add_time("replacement", work, &elapsed, 1);
    report.print();
}
