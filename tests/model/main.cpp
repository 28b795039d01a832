/*
 * The model test.
 *
 *   model_test seeds=FROM-TO [operations=N] [validate=N] [seconds=S]
 *   model_test replay=FILE                     operations as a failed run has printed them
 *
 * Runs one sequence per seed, each of N operations with a full validation every so many, all on one
 * heap; stops between sequences when the time is over.  A failure prints the seed and the sequence
 * up to the operation that failed.
 */
#include "model/books.hpp"
#include "model/model.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
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

void run(unsigned long seed, operations sequence)
{
    now = {seed, std::move(sequence), 0};
    model of_heap;
    for (; now.next < now.sequence.size(); ++now.next) {
        of_heap.apply(now.sequence[now.next]);
        if (now.next % opt.validate == 0)
            validate_everything();
    }
    of_heap.finish();
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
          std::pair{"seconds=%lu", &opt.seconds}}) {
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
