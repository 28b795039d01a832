/// What the benchmark programs share: options, a clock, random numbers, a table that is not in the
/// heap under test, and the one JSON line that each program prints.
///
/// The programs are plain users of malloc and operator new.  They know no allocator; bench/run puts
/// one under them.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace bench
{

/// Tells the compiler that somebody may look at `block`, so that it can delete neither the
/// allocation nor the stores into it.
inline void escape(void* block)
{
    asm volatile("" : : "g"(block) : "memory");
}

inline std::int64_t now_ns()
{
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

inline void sleep_ms(long ms)
{
    const timespec time{ms / 1000, (ms % 1000) * 1'000'000};
    nanosleep(&time, nullptr);
}

/// The resident memory of this process, read without a call to malloc.
inline double resident_kib()
{
    char text[64] = {};
    const int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (file < 0 || read(file, text, sizeof text - 1) <= 0)
        return 0;
    close(file);
    char* rest = nullptr;
    std::strtol(text, &rest, 10);
    return static_cast<double>(std::strtol(rest, nullptr, 10)) *
           static_cast<double>(sysconf(_SC_PAGESIZE)) / 1024;
}

/// Writes one byte into each page of a block: the least that a program does with memory it asked
/// for.
inline void touch(void* block, std::size_t size)
{
    constexpr std::size_t page_size = 4096;
    auto* bytes = static_cast<volatile char*>(block);
    for (std::size_t offset = 0; offset < size; offset += page_size)
        bytes[offset] = 1;
}

/// Allocates, or ends the program: a benchmark without memory has no result.
inline void* allocate(std::size_t size)
{
    void* block = std::malloc(size);
    if (!block) {
        std::fprintf(stderr, "bench: malloc(%zu) failed\n", size);
        std::_Exit(1);
    }
    escape(block);
    return block;
}

/// 2^x for x in [0, 63], within 0.011 %: a cubic that meets 2^x at the powers of two, fitted for the least relative
/// error between.  std::pow takes more instructions than malloc and free together, and would be most of what a
/// benchmark of small blocks measures.
inline double quick_exp2(double x)
{
    const auto whole = static_cast<int>(x);
    const double part = x - whole;
    const double mantissa = 1 + part * (0.6954 + part * (0.2264 + part * 0.0782));
    return mantissa * static_cast<double>(std::uint64_t{1} << whole);
}

/// Marsaglia's xorshift64*: fast, seeded, the same on every machine.
class random
{
public:
    explicit random(std::uint64_t seed) : state_(seed * 0x9E37'79B9'7F4A'7C15 + 1) { next(); }

    std::uint64_t next()
    {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545'F491'4F6C'DD1D;
    }

    /// A number below `bound`.
    std::size_t below(std::size_t bound) { return ((next() >> 32) * bound) >> 32; }

    /// A number in [low, high].
    std::size_t between(std::size_t low, std::size_t high) { return low + below(high - low + 1); }

    /// A number in [0, 1).
    double fraction() { return static_cast<double>(next() >> 11) * 0x1p-53; }

    /// A number in [low, high] whose logarithm is uniform: small sizes are as frequent as in most
    /// programs, and every power of two gets an equal share.
    std::size_t log_uniform(std::size_t low, std::size_t high)
    {
        const double smallest = static_cast<double>(low);
        const double powers =
            std::log2(static_cast<double>(high) / smallest); // a constant, where the bounds are
        return static_cast<std::size_t>(smallest * quick_exp2(powers * fraction()));
    }

private:
    std::uint64_t state_;
};

/// An array in its own mapping, so that the bookkeeping of a benchmark does not use the heap that
/// it measures.  Zero at first; never destroyed before the program ends.
template <class T>
class mapped_array
{
public:
    explicit mapped_array(std::size_t size) : size_(size)
    {
        void* memory = mmap(nullptr, std::max<std::size_t>(size, 1) * sizeof(T),
                            PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            std::_Exit(1);
        data_ = static_cast<T*>(memory);
    }

    T& operator[](std::size_t index) { return data_[index]; }
    T* begin() { return data_; }
    T* end() { return data_ + size_; }
    std::size_t size() const { return size_; }

private:
    T* data_;
    std::size_t size_;
};

/// Fisher and Yates.
template <class T>
void shuffle(T* first, T* last, random& random)
{
    for (auto left = static_cast<std::size_t>(last - first); left > 1; --left)
        std::swap(first[left - 1], first[random.below(left)]);
}

/// The command line: name=number.
class options
{
public:
    options(int argc, char** argv) : argc_(argc), argv_(argv) {}

    long number(const char* name, long otherwise) const
    {
        const std::size_t length = std::strlen(name);
        for (int i = 1; i < argc_; ++i)
            if (std::strncmp(argv_[i], name, length) == 0 && argv_[i][length] == '=')
                return std::strtol(argv_[i] + length + 1, nullptr, 10);
        return otherwise;
    }

    std::size_t size(const char* name, std::size_t otherwise) const
    {
        return static_cast<std::size_t>(number(name, static_cast<long>(otherwise)));
    }

    int threads() const { return static_cast<int>(std::max(1L, number("threads", 1))); }

private:
    int argc_;
    char** argv_;
};

/// All cases of a program, one after the other, some times over: a machine may change its speed for tenths of a second,
/// which a case that is measured in one go does not notice.
template <class Body>
void in_rounds(const options& options, Body body)
{
    for (long left = options.number("rounds", 8); left > 0; --left)
        body();
}

/// The results of one program.  "cases" are times of one operation in nanoseconds (the least and
/// the median of the repetitions inside the program, of the round that had the least); "values" are other figures,
/// with their unit at the end of the name.
class report
{
public:
    /// Times `body`, which performs `operations` operations, `repetitions` times.
    template <class Body>
    void time(const char* name, long operations, long repetitions, Body body)
    {
        std::int64_t sample[max_repetitions];
        const long count = std::clamp(repetitions, 1L, long{max_repetitions});
        for (long i = 0; i < count; ++i) {
            const std::int64_t start = now_ns();
            body();
            sample[i] = now_ns() - start;
        }
        add_time(name, operations, sample, count);
    }

    /// Adds a time that the program measured itself, one sample per repetition.
    void add_time(const char* name, long operations, std::int64_t* sample, long count)
    {
        std::sort(sample, sample + count);
        add(name, static_cast<double>(sample[0]) / static_cast<double>(operations),
            static_cast<double>(sample[count / 2]) / static_cast<double>(operations));
    }

    void add_value(const char* name, double value) { add(name, value, no_median); }

    void print() const
    {
        std::printf("{\"cases\": {");
        print_lines(true);
        std::printf("}, \"values\": {");
        print_lines(false);
        std::printf("}}\n");
        std::fflush(stdout);
    }

    static constexpr int max_repetitions = 64;

private:
    struct line
    {
        char name[48];
        double value;
        double median;
    };

    static constexpr int max_lines = 64;
    static constexpr double no_median = -1;

    void add(const char* name, double value, double median)
    {
        const auto same = [=](const line& known) { return std::strcmp(known.name, name) == 0; };
        line* const known = std::find_if(line_, line_ + count_, same);
        if (known != line_ + count_) {
            if (value < known->value) {
                known->value = value;
                known->median = median;
            }
            return;
        }
        if (count_ == max_lines)
            std::_Exit(1);
        line& line = line_[count_++];
        std::snprintf(line.name, sizeof line.name, "%s", name);
        line.value = value;
        line.median = median;
    }

    void print_lines(bool times) const
    {
        const char* separator = "";
        for (int i = 0; i < count_; ++i) {
            const line& line = line_[i];
            if ((line.median != no_median) != times)
                continue;
            std::printf("%s\"%s\": ", separator, line.name);
            if (times)
                std::printf("{\"min_ns\": %.3f, \"median_ns\": %.3f}", line.value, line.median);
            else
                std::printf("%.3f", line.value);
            separator = ", ";
        }
    }

    line line_[max_lines] = {};
    int count_ = 0;
};

/// "64", "32K", "4M".
struct size_name
{
    explicit size_name(std::size_t size)
    {
        constexpr std::size_t kib = 1024;
        if (size >= kib * kib && size % (kib * kib) == 0)
            std::snprintf(text, sizeof text, "%zuM", size / (kib * kib));
        else if (size >= kib && size % kib == 0)
            std::snprintf(text, sizeof text, "%zuK", size / kib);
        else
            std::snprintf(text, sizeof text, "%zu", size);
    }

    char text[24];
};

} // namespace bench
