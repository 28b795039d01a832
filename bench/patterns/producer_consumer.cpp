/// Producers allocate batches, consumers free them: no block is ever freed where it was allocated,
/// and the consumers never allocate.  `producers` and `consumers` may differ; with threads=1 one
/// thread takes both parts in turn.
///
/// Published: C. Lever, D. Boreham, "malloc() Performance in a Multithreaded Linux Environment",
/// USENIX FREENIX 2000 (the program known as xmalloc).
#include "common/bench.hpp"
#include "common/threads.hpp"

namespace
{

struct batch
{
    static constexpr std::size_t capacity = 120;
    void* block[capacity];
};

void fill(batch& batch, bench::random& random)
{
    for (void*& block : batch.block) {
        block = bench::allocate(random.log_uniform(16, 1024));
        *static_cast<volatile char*>(block) = 1;
    }
}

void drain(batch& batch)
{
    for (void* block : batch.block)
        std::free(block);
}

void run_alone(long batches)
{
    bench::random random(1);
    batch batch;
    for (long i = 0; i < batches; ++i) {
        fill(batch, random);
        drain(batch);
    }
}

void run_apart(int producers, int consumers, long batches)
{
    static bench::channel<batch, 64> channel;
    static std::mutex mutex;
    static int producing;
    producing = producers;

    bench::run_threads(producers + consumers, [=](int index) {
        batch batch;
        if (index >= producers) {
            while (channel.receive(batch))
                drain(batch);
            return;
        }
        bench::random random(static_cast<std::uint64_t>(index) + 1);
        for (long i = index; i < batches; i += producers) {
            fill(batch, random);
            channel.send(batch);
        }
        const std::lock_guard hold(mutex);
        if (--producing == 0)
            channel.close();
    });
}

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    const int threads = options.threads();
    const long batches = options.number("work", 4'000'000) / long{batch::capacity};
    const auto producers = static_cast<int>(options.number("producers", threads / 2));
    const auto consumers = static_cast<int>(options.number("consumers", threads - producers));

    std::int64_t start = bench::now_ns();
    if (producers == 0)
        run_alone(batches);
    else
        run_apart(producers, consumers, batches);
    std::int64_t elapsed = bench::now_ns() - start;

    bench::report report;
    report.add_time("block", batches * long{batch::capacity}, &elapsed, 1);
    report.print();
}
