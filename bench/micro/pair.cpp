/// One allocation and the free of it, again and again, for each size: the shortest path there is.
///
/// mode 0: malloc and free, one byte written; 1: calloc; 2: aligned_alloc; 3: operator new and the
/// sized operator delete; 4: neither (the loop alone, for counting instructions).
#include <new>

#include "common/bench.hpp"

namespace
{

enum class mode
{
    malloc,
    calloc,
    aligned,
    sized_delete,
    empty
};

void* acquire(mode how, std::size_t size, std::size_t alignment)
{
    switch (how) {
    case mode::malloc:
        return std::malloc(size);
    case mode::calloc:
        return std::calloc(1, size);
    case mode::aligned:
        return std::aligned_alloc(alignment, size);
    case mode::sized_delete:
        return ::operator new(size);
    case mode::empty:
        break;
    }
    return nullptr;
}

template <mode How>
void run_pairs(std::size_t size, std::size_t alignment, long count)
{
    for (long i = 0; i < count; ++i) {
        void* block = acquire(How, size, alignment);
        bench::escape(block);
        if constexpr (How != mode::empty)
            *static_cast<volatile char*>(block) = 1;
        if constexpr (How == mode::sized_delete)
            ::operator delete(block, size);
        else if constexpr (How != mode::empty)
            std::free(block);
    }
}

/// Small sizes take some nanoseconds, large ones may take a system call each.
long default_count(std::size_t size)
{
    constexpr std::size_t small = 32 * 1024;
    constexpr std::size_t medium = 128 * 1024;
    return size <= small ? 200'000 : size <= medium ? 20'000 : 4'000;
}

template <mode How>
void measure(const bench::options& options, bench::report& report, const char* name,
             std::size_t size, std::size_t alignment)
{
    const long count = options.number("count", default_count(size));
    char title[48];
    std::snprintf(title, sizeof title, "%s/%s", name, bench::size_name(size).text);
    report.time(title, count, options.number("repeat", 3),
                [&] { run_pairs<How>(size, alignment, count); });
}

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    bench::report report;
    const auto how = static_cast<mode>(options.number("mode", 0));
    const std::size_t smallest = options.size("from", 8);
    const std::size_t largest = options.size("to", 4 * 1024 * 1024);
    const std::size_t step = options.size("step", 2);

    bench::in_rounds(options, [&] {
        for (std::size_t size = smallest; size <= largest; size *= step) {
            switch (how) {
            case mode::malloc:
                measure<mode::malloc>(options, report, "pair", size, 0);
                break;
            case mode::calloc:
                measure<mode::calloc>(options, report, "calloc", size, 0);
                break;
            case mode::aligned:
                measure<mode::aligned>(options, report, "aligned64", size, 64);
                if (size >= 4096)
                    measure<mode::aligned>(options, report, "aligned4K", size, 4096);
                break;
            case mode::sized_delete:
                measure<mode::sized_delete>(options, report, "sized_delete", size, 0);
                break;
            case mode::empty:
                measure<mode::empty>(options, report, "empty", size, 0);
                break;
            }
        }
    });
    report.print();
}
