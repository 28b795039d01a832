/// Many allocations, then as many frees: in the order of allocation, and against it.  A batch that
/// is larger than a thread's cache shows what the levels behind the cache cost.
#include "common/bench.hpp"

namespace
{

void run_batches(void** block, long batch, long rounds, std::size_t size, bool in_order)
{
    for (long round = 0; round < rounds; ++round) {
        for (long i = 0; i < batch; ++i) {
            block[i] = bench::allocate(size);
            *static_cast<volatile char*>(block[i]) = 1;
        }
        if (in_order)
            for (long i = 0; i < batch; ++i)
                std::free(block[i]);
        else
            for (long i = batch; i-- > 0;)
                std::free(block[i]);
    }
}

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    bench::report report;
    const long count = options.number("count", 200'000);
    const long largest_batch = options.number("largest", 100'000);
    bench::mapped_array<void*> block(static_cast<std::size_t>(largest_batch));

    bench::in_rounds(options, [&] {
        for (const std::size_t size : {std::size_t{64}, std::size_t{512}})
            for (long batch = 100; batch <= largest_batch; batch *= 10)
                for (const bool in_order : {true, false}) {
                    const long rounds = std::max(1L, count / batch);
                    char title[48];
                    std::snprintf(title, sizeof title, "batch_%s/%ldx%zu",
                                  in_order ? "in_order" : "against", batch, size);
                    report.time(title, rounds * batch, options.number("repeat", 2),
                                [&] { run_batches(block.begin(), batch, rounds, size, in_order); });
                }
    });
    report.print();
}
