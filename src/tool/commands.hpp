#pragma once

/// The commands: each gets the words that follow its name, and returns the exit status.

#include <string>
#include <vector>

namespace bsl::tool
{

using words = std::vector<std::string>;

int show_report(const std::string& name, const words& arguments);
int show_stat(const words& arguments);
int explain(const words& arguments);
int draw_map(const words& arguments);
int watch(const words& arguments);
int run_program(const words& arguments);
int compare_allocators(const words& arguments);

/// --help among a command's words.
struct help_wanted
{};

/// Options and the rest of a command's words.
///
///     options("json", "every=SECONDS"):   --json, --every 5, --every=5
class options
{
public:
    /// Throws on an option that is not among the known ones.  With `stop_at_operand`, everything from
    /// the first operand on is an operand.
    options(const words& arguments, const words& known, bool stop_at_operand = false);

    bool has(const std::string& name) const;
    std::string value(const std::string& name, const std::string& otherwise = "") const;
    /// Throws if both are given.
    void refuse_together(const std::string& one, const std::string& other) const;
    /// Throws if `name` is given and `needed` is not.
    void refuse_without(const std::string& name, const std::string& needed) const;
    /// Above 0; throws otherwise.
    double number(const std::string& name, double otherwise, double most = 1e6) const;
    const words& operands() const { return operands_; }
    /// The only operand; throws with `usage` if there is not exactly one.
    const std::string& operand(const std::string& usage) const;

private:
    std::vector<std::pair<std::string, std::string>> given_;
    words operands_;
};

} // namespace bsl::tool
