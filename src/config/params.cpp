#include "config/params.hpp"

#include "base/format.hpp"
#include "base/text.hpp"
#include "host/console.hpp"
#include "host/sysinfo.hpp"

#include <cstring>
#include <string_view>

namespace bsl
{

constinit params param;

namespace
{

using std::string_view;

enum class kind
{
    size,
    number,
    choice,
    text
};

/// A parameter's line of params.def, and where its value lives.
struct description
{
    kind type;
    string_view name;
    void* value;
    std::size_t min;
    std::size_t max;
    string_view choices;
};

constexpr description descriptions[] = {
#define PARAM_SIZE(name, value, min, max, meaning) {kind::size, #name, &param.name, min, max, {}},
#define PARAM_NUMBER(name, value, min, max, meaning)                                               \
    {kind::number, #name, &param.name, min, max, {}},
#define PARAM_CHOICE(name, choices, meaning) {kind::choice, #name, &param.name, 0, 0, choices},
#define PARAM_TEXT(name, meaning) {kind::text, #name, param.name, 0, sizeof param.name - 1, {}},
#include "config/params.def"
#undef PARAM_SIZE
#undef PARAM_NUMBER
#undef PARAM_CHOICE
#undef PARAM_TEXT
};

/// Cuts the first word off `text`.
string_view next_word(string_view& text, string_view separators)
{
    const std::size_t start = text.find_first_not_of(separators);
    if (start == string_view::npos) {
        text = {};
        return {};
    }
    text.remove_prefix(start);
    const string_view word = text_until(text, separators);
    text.remove_prefix(word.size());
    return word;
}

/// Decimal digits, then K, M or G (either case) if `suffixes` are allowed.
bool parse_number(string_view text, bool suffixes, std::size_t& result)
{
    std::size_t value = 0;
    std::size_t i = 0;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
        if (__builtin_mul_overflow(value, std::size_t{10}, &value) ||
            __builtin_add_overflow(value, static_cast<std::size_t>(text[i] - '0'), &value))
            return false;
    }
    if (i == 0)
        return false;
    if (suffixes && i + 1 == text.size()) {
        const std::size_t at = string_view("kKmMgG").find(text[i]);
        if (at == string_view::npos)
            return false;
        const std::size_t unit = kib << (10 * (at / 2));
        result = value * unit;
        return result / unit == value;
    }
    result = value;
    return i == text.size();
}

bool set_number(const description& d, string_view value)
{
    std::size_t n = 0;
    if (!parse_number(value, d.type == kind::size, n) || n < d.min || n > d.max)
        return false;
    *static_cast<std::size_t*>(d.value) = n;
    return true;
}

bool set_choice(const description& d, string_view value)
{
    string_view rest = d.choices;
    for (unsigned i = 0;; ++i) {
        const string_view choice = next_word(rest, " ");
        if (choice.empty())
            return false;
        if (choice == value) {
            *static_cast<unsigned*>(d.value) = i;
            return true;
        }
    }
}

bool set_text(const description& d, string_view value)
{
    if (value.size() > d.max)
        return false;
    auto* to = static_cast<char*>(d.value);
    std::memcpy(to, value.data(), value.size());
    to[value.size()] = '\0';
    return true;
}

bool set(const description& d, string_view value)
{
    switch (d.type) {
    case kind::choice:
        return set_choice(d, value);
    case kind::text:
        return set_text(d, value);
    case kind::size:
    case kind::number:
        break;
    }
    return set_number(d, value);
}

void report_wrong(const description& d, string_view assignment)
{
    format<512> line;
    line.text("BUDDYSLAB: ").text(assignment).text(": expected ");
    switch (d.type) {
    case kind::choice:
        line.text("one of: ").text(d.choices);
        break;
    case kind::text:
        line.text("at most ").decimal(d.max).text(" characters");
        break;
    case kind::size:
    case kind::number:
        line.text("a number from ").decimal(d.min).text(" to ").decimal(d.max);
        line.text(d.type == kind::size ? " (suffixes K, M, G)" : "");
        break;
    }
    host::print_line(line.view());
}

void assign(string_view assignment)
{
    const string_view name = text_until(assignment, "=");
    string_view value("1"); // a name alone switches on
    if (name.size() != assignment.size()) {
        value = assignment;
        value.remove_prefix(name.size() + 1);
    }

    for (const description& d : descriptions) {
        if (d.name != name)
            continue;
        if (!set(d, value))
            report_wrong(d, assignment);
        return;
    }
    format<512> line;
    line.text("BUDDYSLAB: unknown parameter '").text(name).text("'");
    host::print_line(line.view());
}

/// The n-th choice, from 0.
string_view nth_choice(string_view choices, unsigned n)
{
    string_view choice = next_word(choices, " ");
    for (; n != 0; --n)
        choice = next_word(choices, " ");
    return choice;
}

} // namespace

bool format_param(string_view name, format_sink& to)
{
    for (const description& d : descriptions) {
        if (d.name != name)
            continue;
        switch (d.type) {
        case kind::choice:
            to.text(nth_choice(d.choices, *static_cast<const unsigned*>(d.value)));
            return true;
        case kind::text:
            to.text(static_cast<const char*>(d.value));
            return true;
        case kind::size:
        case kind::number:
            to.decimal(*static_cast<const std::size_t*>(d.value));
            return true;
        }
    }
    return false;
}

void load_params(const char* text)
{
    string_view rest(text);
    for (;;) {
        const string_view assignment = next_word(rest, " \t\n");
        if (assignment.empty())
            return;
        assign(assignment);
    }
}

void load_params_from(char* const* environment)
{
    constexpr string_view prefix = "BUDDYSLAB=";
    if (environment == nullptr || host::is_secure_execution())
        return;
    for (; *environment != nullptr; ++environment) {
        if (std::strncmp(*environment, prefix.data(), prefix.size()) == 0)
            return load_params(*environment + prefix.size());
    }
}

} // namespace bsl
