/*
 * Fuzz target: bytes are the text of the variable BUDDYSLAB.
 *
 * Whatever the text, every parameter has a value that params.def allows; a value that is formatted
 * and read again is the same; and the same text, read from an environment, does the same.
 */
#include "fuzz/target.hpp"

#include "base/format.hpp"
#include "config/params.hpp"
#include "model/books.hpp"
#include "slab/debug.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>

namespace
{

using namespace bsl;

struct limits
{
    const char* name;
    std::size_t (*value)();
    std::size_t min;
    std::size_t max;
};

std::size_t nr_words(std::string_view text)
{
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), ' ')) + 1;
}

/// Written down a second time by the same list: here as numbers to compare, nothing else.
const limits all_limits[] = {
#define PARAM_SIZE(name, value, min, max, meaning) {#name, [] { return param.name; }, min, max},
#define PARAM_NUMBER(name, value, min, max, meaning) {#name, [] { return param.name; }, min, max},
#define PARAM_CHOICE(name, choices, meaning)                                                       \
    {#name, [] { return std::size_t{param.name}; }, 0, nr_words(choices) - 1},
#define PARAM_TEXT(name, meaning)                                                                  \
    {#name, [] { return strnlen(param.name, sizeof param.name); }, 0, sizeof param.name - 1},
#include "config/params.def"
#undef PARAM_SIZE
#undef PARAM_NUMBER
#undef PARAM_CHOICE
#undef PARAM_TEXT
};

/// All parameters as an assignment each.
std::string all_values()
{
    std::string text;
    for (const limits& of : all_limits) {
        format<256> value;
        if (!format_param(of.name, value))
            test::fail("there is no parameter %s", of.name);
        text += std::string(of.name) + "=" + std::string(value.view()) + " ";
    }
    return text;
}

void check_limits()
{
    for (const limits& of : all_limits) {
        const std::size_t value = of.value();
        if (value < of.min || value > of.max)
            test::fail("%s is %zu", of.name, value);
    }
}

void set_up(const std::string& text)
{
    param = params{};
    load_params(text.c_str());
    check_limits();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    std::string text(reinterpret_cast<const char*>(data), size);
    text.resize(std::strlen(text.c_str())); // as an environment would cut it
    set_up(text);
    const std::string values = all_values();

    checked_classes = {};
    set_up_slab_debug();
    checked_classes = {};

    set_up(values);
    if (all_values() != values)
        test::fail("read again, %s became %s", values.c_str(), all_values().c_str());

    std::string variable = "BUDDYSLAB=" + text;
    char other[] = "BUDDYSLABS=report=exit";
    char* environment[] = {other, variable.data(), nullptr};
    param = params{};
    load_params_from(environment);
    if (all_values() != values)
        test::fail("from the environment, %s became %s", values.c_str(), all_values().c_str());
    param = params{};
    return 0;
}
