#include "tool/commands.hpp"
#include "tool/target.hpp"

namespace bsl::tool
{

namespace
{

/// As it is written.
std::string dashed(const std::string& name)
{
    return (name.size() == 1 ? "-" : "--") + name;
}

} // namespace

options::options(const words& arguments, const words& known, bool stop_at_operand)
{
    bool only_operands = false;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string& word = arguments[i];
        if (only_operands || word.size() < 2 || word[0] != '-') {
            operands_.push_back(word);
            only_operands = only_operands || stop_at_operand;
            continue;
        }
        if (word == "--") {
            only_operands = true;
            continue;
        }
        if (word == "--help" || word == "-h")
            throw help_wanted{};
        const std::string name =
            word.substr(word[1] == '-' ? 2 : 1, word.find('=') - (word[1] == '-' ? 2 : 1));
        bool found = false;
        for (const std::string& k : known) {
            const bool takes_value = k.back() == '=';
            if (name != k.substr(0, k.size() - (takes_value ? 1 : 0)))
                continue;
            found = true;
            const std::size_t equals = word.find('=');
            if (!takes_value && equals != std::string::npos)
                throw failure(word.substr(0, equals) + " takes no value");
            if (takes_value && equals == std::string::npos && i + 1 == arguments.size())
                throw failure(word + " needs a value");
            given_.emplace_back(name, !takes_value                  ? ""
                                      : equals != std::string::npos ? word.substr(equals + 1)
                                                                    : arguments[++i]);
        }
        if (!found)
            throw failure("unknown option " + word + " (see buddyslab --help)");
    }
}

bool options::has(const std::string& name) const
{
    for (const auto& [key, value] : given_) {
        if (key == name)
            return true;
    }
    return false;
}

std::string options::value(const std::string& name, const std::string& otherwise) const
{
    std::string found = otherwise;
    for (const auto& [key, value] : given_) {
        if (key == name)
            found = value;
    }
    return found;
}

void options::refuse_together(const std::string& one, const std::string& other) const
{
    if (has(one) && has(other))
        throw failure(dashed(one) + " and " + dashed(other) + " contradict each other");
}

void options::refuse_without(const std::string& name, const std::string& needed) const
{
    if (has(name) && !has(needed))
        throw failure(dashed(name) + " means nothing without " + dashed(needed));
}

double options::number(const std::string& name, double otherwise, double most) const
{
    if (!has(name))
        return otherwise;
    const std::string text = value(name);
    std::size_t used = 0;
    double n = 0;
    try {
        n = std::stod(text, &used);
    } catch (const std::exception&) {
        used = 0;
    }
    if (used == 0 || used != text.size() || !(n > 0) || n > most)
        throw failure(dashed(name) + " wants a number above 0, up to " +
                      std::to_string(static_cast<long>(most)) + ", not '" + text + "'");
    return n;
}

const std::string& options::operand(const std::string& usage) const
{
    if (operands_.size() != 1)
        throw failure("usage: buddyslab " + usage);
    return operands_[0];
}

} // namespace bsl::tool
