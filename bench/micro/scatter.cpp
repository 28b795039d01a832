/// What is left of locality: allocate many objects, free them in random order, allocate as many
/// again, and walk the new ones in the order of their allocation.  An allocator that hands the
/// memory out again in the random order in which it came back makes the walk miss the cache.
#include "common/bench.hpp"

namespace
{

struct object
{
    object* next;
    char payload[56];
};

struct phase_times
{
    std::int64_t fill[bench::report::max_repetitions];
    std::int64_t drop[bench::report::max_repetitions];
    std::int64_t refill[bench::report::max_repetitions];
    std::int64_t walk[bench::report::max_repetitions];
};

void fill(bench::mapped_array<object*>& table)
{
    object* previous = nullptr;
    for (object*& slot : table) {
        slot = static_cast<object*>(bench::allocate(sizeof(object)));
        slot->next = nullptr;
        if (previous)
            previous->next = slot;
        previous = slot;
    }
}

void run_round(bench::mapped_array<object*>& table, bench::random& random, phase_times& times,
               long round)
{
    const auto timed = [](std::int64_t& sample, auto body) {
        const std::int64_t start = bench::now_ns();
        body();
        sample = bench::now_ns() - start;
    };
    const auto drop = [&] {
        for (object* object : table)
            std::free(object);
    };

    timed(times.fill[round], [&] { fill(table); });
    bench::shuffle(table.begin(), table.end(), random);
    timed(times.drop[round], drop);
    timed(times.refill[round], [&] { fill(table); });
    timed(times.walk[round], [&] {
        for (object* object = table[0]; object; object = object->next)
            bench::escape(object);
    });
    bench::shuffle(table.begin(), table.end(), random);
    drop();
}

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    bench::report report;
    const std::size_t objects = options.size("objects", 500'000);
    const long repetitions = std::min(options.number("repeat", 3), long{report.max_repetitions});
    bench::mapped_array<object*> table(objects);
    bench::random random(1);
    static phase_times times;

    for (long round = 0; round < repetitions; ++round)
        run_round(table, random, times, round);
    const auto count = static_cast<long>(objects);
    report.add_time("scatter/fill", count, times.fill, repetitions);
    report.add_time("scatter/random_free", count, times.drop, repetitions);
    report.add_time("scatter/refill", count, times.refill, repetitions);
    report.add_time("scatter/walk", count, times.walk, repetitions);
    report.print();
}
