/*
 * Runs a program on the library: it takes this process's place, so that its output and its exit status
 * are its own.
 */
#include "tool/commands.hpp"
#include "tool/launch.hpp"
#include "tool/target.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace bsl::tool
{

namespace
{

/// As shells have it.
constexpr int not_executable = 126;
constexpr int not_found = 127;

constexpr const char* parameters[] = {
#define PARAM_SIZE(name, value, min, max, meaning) #name,
#define PARAM_NUMBER(name, value, min, max, meaning) #name,
#define PARAM_CHOICE(name, choices, meaning) #name,
#define PARAM_TEXT(name, meaning) #name,
#include "config/params.def"
#undef PARAM_SIZE
#undef PARAM_NUMBER
#undef PARAM_CHOICE
#undef PARAM_TEXT
};

void add_parameter(const std::string& assignment)
{
    const char* given = std::getenv("BUDDYSLAB");
    const std::string all =
        given == nullptr || *given == '\0' ? assignment : std::string(given) + " " + assignment;
    setenv("BUDDYSLAB", all.c_str(), 1);
}

bool is_option(const std::string& word)
{
    return word.size() > 1 && word[0] == '-';
}

/// "--decay_ms=200" or "--stats".
void take_option(const std::string& word)
{
    if (word == "--help" || word == "-h")
        throw help_wanted{};
    if (word.substr(0, 2) != "--")
        throw failure("unknown option " + word + " (see buddyslab --help)");
    if (word == "--stats") {
        add_parameter("report=exit");
        return;
    }
    const std::string assignment = word.substr(2);
    const std::string name = assignment.substr(0, assignment.find('='));
    for (const char* known : parameters) {
        if (name != known)
            continue;
        // In the variable a space ends a value, and there is no way to quote it.
        if (assignment.find_first_of(" \t\n") != std::string::npos)
            throw failure("a parameter's value has no spaces: '" + word + "'");
        add_parameter(assignment);
        return;
    }
    throw failure("there is no parameter " + name + " (docs/tuning.md lists them)");
}

} // namespace

int run_program(const words& arguments)
{
    std::size_t first = 0;
    for (; first < arguments.size() && is_option(arguments[first]); ++first) {
        if (arguments[first] == "--") {
            ++first;
            break;
        }
        take_option(arguments[first]);
    }
    const words program(arguments.begin() + static_cast<std::ptrdiff_t>(first), arguments.end());
    if (program.empty())
        throw failure(
            "usage: buddyslab run [--stats] [--PARAMETER=VALUE ...] [--] PROGRAM [ARGS...]");
    preload(own_library());
    execvp(program[0].c_str(), arguments_of(program).data());
    const int error = errno;
    std::fprintf(stderr, "buddyslab: %s: %s\n", program[0].c_str(), std::strerror(error));
    return error == ENOENT ? not_found : not_executable;
}

} // namespace bsl::tool
