/// Growth by realloc: buffers that take small appends until they are full and are then resized to
/// one and a half, among small blocks that come and go between them.  A buffer starts anew when it
/// has reached 1 MiB.
///
/// Published: A. Alexandrescu's account of vector growth and realloc, folly/docs/FBVector.md.
#include "common/bench.hpp"
#include "common/threads.hpp"

namespace
{

constexpr std::size_t all_buffers = 128;
constexpr std::size_t all_blocks = 16 * 1024;
constexpr std::size_t end_size = 1024 * 1024;

struct buffer
{
    char* data;
    std::size_t size;
    std::size_t capacity;
};

void append(buffer& buffer, std::size_t length)
{
    if (buffer.size + length > end_size) {
        std::free(buffer.data);
        buffer = {};
    }
    if (buffer.size + length > buffer.capacity) {
        buffer.capacity = std::max(buffer.capacity + buffer.capacity / 2, buffer.size + length);
        buffer.data = static_cast<char*>(std::realloc(buffer.data, buffer.capacity));
        if (!buffer.data)
            std::_Exit(1);
    }
    std::memset(buffer.data + buffer.size, 'a', length);
    buffer.size += length;
}

void replace(void*& block, bench::random& random)
{
    std::free(block);
    block = bench::allocate(random.log_uniform(16, 512));
    *static_cast<volatile char*>(block) = 1;
}

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    const auto threads = static_cast<std::size_t>(options.threads());
    const long work = options.number("work", 2'000'000);
    const std::size_t buffers = std::max<std::size_t>(all_buffers / threads, 1);
    const std::size_t blocks = std::max<std::size_t>(all_blocks / threads, 1);
    bench::mapped_array<buffer> buffer_table(buffers * threads);
    bench::mapped_array<void*> block_table(blocks * threads);

    std::int64_t start = bench::now_ns();
    bench::run_threads(options.threads(), [&](int index) {
        const auto seat = static_cast<std::size_t>(index);
        bench::random random(seat + 1);
        for (long i = 0; i < work / static_cast<long>(threads); ++i) {
            append(buffer_table[seat * buffers + random.below(buffers)],
                   random.log_uniform(16, 2048));
            replace(block_table[seat * blocks + random.below(blocks)], random);
        }
    });
    std::int64_t elapsed = bench::now_ns() - start;

    bench::report report;
    report.add_time("append", work, &elapsed, 1);
    report.print();
}
