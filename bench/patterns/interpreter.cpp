/// A string-heavy interpreter: reads expressions of names and string operators, turns them into
/// tokens, keeps variables in a hash table, and evaluates concatenations, slices and replacements.
/// Nearly every block is a string or a node of some 20 to 200 bytes that dies young.
///
/// Published: B. Zorn, D. Grunwald, "Empirical Measurements of Six Allocation-Intensive C
/// Programs", SIGPLAN Notices 1992 (perl, gawk, and the like).
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/bench.hpp"
#include "common/threads.hpp"

namespace
{

constexpr std::size_t variables = 4000;
constexpr std::size_t longest = 400;

std::string name_of(std::size_t variable)
{
    return "variable_number_" + std::to_string(variable);
}

/// A line such as "variable_number_17 = variable_number_4 . variable_number_99".
std::string make_line(bench::random& random)
{
    static constexpr const char* operators[] = {".", "-", "/"};
    return name_of(random.below(variables)) + " = " + name_of(random.below(variables)) + " " +
           operators[random.below(3)] + " " + name_of(random.below(variables));
}

std::vector<std::string> split(const std::string& line)
{
    std::vector<std::string> tokens;
    for (std::size_t start = 0; start < line.size();) {
        std::size_t end = line.find(' ', start);
        if (end == std::string::npos)
            end = line.size();
        tokens.push_back(line.substr(start, end - start));
        start = end + 1;
    }
    return tokens;
}

class interpreter
{
public:
    void run(const std::string& line)
    {
        const std::vector<std::string> token = split(line);
        const std::string& left = value_[token[2]];
        const std::string& right = value_[token[4]];
        std::string result = apply(token[3][0], left, right);
        if (result.size() > longest)
            result = result.substr(result.size() - longest / 4);
        value_[token[0]] = std::move(result);
    }

private:
    static std::string apply(char operation, const std::string& left, const std::string& right)
    {
        switch (operation) {
        case '.':
            return left + right + "|";
        case '-':
            return left.substr(left.size() / 2) + right.substr(0, right.size() / 2) + "half";
        default:
            return right + std::to_string(left.size()) + left;
        }
    }

    std::unordered_map<std::string, std::string> value_;
};

} // namespace

int main(int argc, char** argv)
{
    const bench::options options(argc, argv);
    const int threads = options.threads();
    const long work = options.number("work", 600'000);

    std::int64_t start = bench::now_ns();
    bench::run_threads(threads, [&](int index) {
        bench::random random(static_cast<std::uint64_t>(index) + 1);
        interpreter interpreter;
        for (long i = 0; i < work / threads; ++i)
            interpreter.run(make_line(random));
    });
    std::int64_t elapsed = bench::now_ns() - start;

    bench::report report;
    report.add_time("line", work, &elapsed, 1);
    report.print();
}
