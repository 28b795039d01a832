/*
 * The model test.
 *
 *   model_test seeds=FROM-TO [operations=N] [validate=N] [seconds=S] [limit=MIB]
 *   model_test replay=FILE                     operations as a failed run has printed them
 *
 * Runs one sequence per seed, each of N operations with a full validation every so many, all on one
 * heap; stops between sequences when the time is over.  A failure prints the seed and the sequence
 * up to the operation that failed.
 *
 * With a limit, the heap gets no more than about so many MiB of addresses (RLIMIT_AS): requests fail
 * all the time.  At the end of each sequence one that is as large as half the limit must succeed.
 */
#include "heap/heap.hpp"
#include "model/books.hpp"
#include "model/model.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

namespace
{

using namespace test;

struct options
{
    unsigned long first_seed = 1;
    unsigned long last_seed = 10;
    unsigned long operations = 10000;
    unsigned long validate = 500;
    unsigned long seconds = 15;
    unsigned long limit = 0; ///< MiB; 0: none
    const char* replay = nullptr;
};

struct progress
{
    unsigned long seed = 0;
    operations sequence;
    std::size_t next = 0;
};

options opt;
progress now;

/// On the way down: nothing here need be safe, it only has to work most times.
void print_sequence(int signal)
{
    std::signal(signal, SIG_DFL);
    const std::size_t done = std::min(now.next + 1, now.sequence.size());
    std::fprintf(stderr, "seed %lu, operation %zu; replay=FILE with these lines:\n", now.seed,
                 now.next);
    for (std::size_t i = 0; i < done; ++i)
        std::fprintf(stderr, "%s\n", to_text(now.sequence[i]).c_str());
    std::raise(signal);
}

/// Lets the heap map as much as the limit says, besides what the process has mapped already.
void set_limit()
{
    mallopt(M_ARENA_MAX, 1); // libc's, for the test itself, would take 64 MiB for each thread
    unsigned long pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t bytes = pages * 4096 + opt.limit * bsl::mib;
    const rlimit limit{bytes, bytes};
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        fail("no limit could be set");
}

/// Everything is free: memory that was handed out in one size must serve any other.
void check_recovery()
{
    void* p = bsl::heap::malloc(opt.limit / 2 * bsl::mib);
    if (p == nullptr)
        fail("half of the limit cannot be had, although all is free");
    std::memset(p, 1, opt.limit / 2 * bsl::mib);
    bsl::heap::free(p);
    bsl::heap::trim(0);
}

void run(unsigned long seed, operations sequence)
{
    now = {seed, std::move(sequence), 0};
    model of_heap(opt.limit != 0);
    for (; now.next < now.sequence.size(); ++now.next) {
        of_heap.apply(now.sequence[now.next]);
        if (now.next % opt.validate == 0)
            validate_everything();
    }
    of_heap.finish();
    if (opt.limit != 0)
        check_recovery();
}

operations read_sequence(const char* file)
{
    operations result;
    std::ifstream from(file);
    for (std::string line; std::getline(from, line);) {
        if (const auto op = from_text(line))
            result.push_back(*op);
    }
    return result;
}

bool parse(const char* argument)
{
    if (std::sscanf(argument, "seeds=%lu-%lu", &opt.first_seed, &opt.last_seed) == 2)
        return true;
    for (auto [name, value] :
         {std::pair{"operations=%lu", &opt.operations}, std::pair{"validate=%lu", &opt.validate},
          std::pair{"seconds=%lu", &opt.seconds}, std::pair{"limit=%lu", &opt.limit}}) {
        if (std::sscanf(argument, name, value) == 1)
            return *value != 0;
    }
    if (std::strncmp(argument, "replay=", 7) == 0)
        opt.replay = argument + 7;
    return opt.replay != nullptr;
}

} // namespace

int main(int argc, char** argv)
{
    for (int i = 1; i < argc; ++i) {
        if (!parse(argv[i])) {
            std::cerr << "model_test: what is '" << argv[i] << "'?\n";
            return 2;
        }
    }
    for (int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE})
        std::signal(signal, print_sequence);

    if (opt.limit != 0)
        set_limit();
    if (opt.replay != nullptr) {
        run(0, read_sequence(opt.replay));
        return 0;
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(opt.seconds);
    unsigned long seed = opt.first_seed;
    for (; seed <= opt.last_seed && std::chrono::steady_clock::now() < end; ++seed)
        run(seed, generate(seed, opt.operations));
    std::cout << seed - opt.first_seed << " sequences of " << opt.operations << " operations\n";
    return seed == opt.first_seed ? 1 : 0;
}
