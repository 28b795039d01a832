#include "unit/child.hpp"

#include "base/format.hpp"
#include "config/params.hpp"

#include <catch2/catch.hpp>
#include <cstring>

using namespace bsl;

namespace
{

/// What load_params() prints about `text`.
std::string complaint_about(const char* text)
{
    return in_child([text] { load_params(text); }).text;
}

/// The value that parameter `name` has after load_params(text); "?" if there is no such parameter.
std::string value_after(const char* text, const char* name)
{
    return in_child([=] {
               load_params(text);
               format<param_text_size + 1> value;
               if (!format_param(name, value))
                   value.text("?");
               if (write(STDERR_FILENO, value.c_str(), value.view().size()) < 0)
                   _exit(1);
           })
        .text;
}

} // namespace

TEST_CASE("every parameter has its default from the start")
{
#define PARAM_SIZE(name, value, min, max, meaning) CHECK(param.name == (value));
#define PARAM_NUMBER(name, value, min, max, meaning) CHECK(param.name == (value));
#define PARAM_CHOICE(name, choices, meaning) CHECK(param.name == 0);
#define PARAM_TEXT(name, meaning) CHECK(param.name[0] == '\0');
#include "config/params.def"
#undef PARAM_SIZE
#undef PARAM_NUMBER
#undef PARAM_CHOICE
#undef PARAM_TEXT
}

TEST_CASE("every default is in its range, and every parameter can be asked for by name")
{
    format<param_text_size> text;
#define PARAM_SIZE(name, value, min, max, meaning)                                                 \
    CHECK((value) >= (min));                                                                       \
    CHECK((value) <= (max));                                                                       \
    text.clear();                                                                                  \
    CHECK(format_param(#name, text));                                                              \
    CHECK(text.view() == std::to_string(param.name));
#define PARAM_NUMBER PARAM_SIZE
#define PARAM_CHOICE(name, choices, meaning)                                                       \
    text.clear();                                                                                  \
    CHECK(format_param(#name, text));                                                              \
    CHECK(std::string(choices).find(text.view()) == 0);
#define PARAM_TEXT(name, meaning)                                                                  \
    text.clear();                                                                                  \
    CHECK(format_param(#name, text));
#include "config/params.def"
#undef PARAM_SIZE
#undef PARAM_NUMBER
#undef PARAM_CHOICE
#undef PARAM_TEXT
}

TEST_CASE("values of every type are taken over")
{
    CHECK(value_after("report=exit", "report") == "exit");
    CHECK(value_after("report=none", "report") == "none");
    CHECK(value_after("slab_debug=F,kmalloc-64", "slab_debug") == "F,kmalloc-64");
    CHECK(value_after("decay_ms=250", "decay_ms") == "250");
    CHECK(value_after("  decay_ms=1\t dirty_max=2\n", "dirty_max") == "2");
    CHECK(value_after("decay_ms=1 decay_ms=2", "decay_ms") == "2");
    CHECK(value_after("decay_ms", "decay_ms") == "1");
    CHECK(value_after("", "no_such_name") == "?");
}

TEST_CASE("sizes may have suffixes")
{
    CHECK(value_after("dirty_max=5k", "dirty_max") == "5120");
    CHECK(value_after("dirty_max=5K", "dirty_max") == "5120");
    CHECK(value_after("dirty_max=3M", "dirty_max") == "3145728");
    CHECK(value_after("dirty_max=2g", "dirty_max") == "2147483648");
    CHECK(value_after("dirty_max=18446744073709551615", "dirty_max") == "18446744073709551615");
}

TEST_CASE("what is right is not commented")
{
    CHECK(complaint_about("") == "");
    CHECK(complaint_about("report=exit slab_debug=F decay_ms=0 dirty_max=1G") == "");
}

TEST_CASE("unknown names are reported, and the rest counts")
{
    CHECK(complaint_about("foo") == "buddyslab: BUDDYSLAB: unknown parameter 'foo'\n");
    CHECK(complaint_about("foo=1 bar=") == "buddyslab: BUDDYSLAB: unknown parameter 'foo'\n"
                                           "buddyslab: BUDDYSLAB: unknown parameter 'bar'\n");
    CHECK(value_after("foo=1 decay_ms=3", "decay_ms") ==
          "buddyslab: BUDDYSLAB: unknown parameter 'foo'\n3");
}

TEST_CASE("wrong values are reported with what would be right, and change nothing")
{
    CHECK(complaint_about("report=bar") ==
          "buddyslab: BUDDYSLAB: report=bar: expected one of: none exit\n");
    CHECK(complaint_about("report") ==
          "buddyslab: BUDDYSLAB: report: expected one of: none exit\n");
    for (const char* wrong : {"decay_ms=", "decay_ms=x", "decay_ms=1k", "decay_ms=-1",
                              "decay_ms=3600001", "decay_ms=99999999999999999999999"}) {
        CHECK(complaint_about(wrong) == std::string("buddyslab: BUDDYSLAB: ") + wrong +
                                            ": expected a number from 0 to 3600000\n");
    }
    for (const char* wrong : {"dirty_max=", "dirty_max=k", "dirty_max=1kk", "dirty_max=1 k",
                              "dirty_max=18446744073709551616", "dirty_max=17179869184G"}) {
        INFO(wrong);
        CHECK(complaint_about(wrong) != "");
    }
    CHECK(value_after("decay_ms=7 decay_ms=x", "decay_ms") ==
          "buddyslab: BUDDYSLAB: decay_ms=x: expected a number from 0 to 3600000\n7");
}

TEST_CASE("text is bounded")
{
    const std::string fits(param_text_size - 1, 'x');
    CHECK(value_after(("slab_debug=" + fits).c_str(), "slab_debug") == fits);
    CHECK(complaint_about(("slab_debug=" + fits + "x").c_str()).find("expected at most 127") !=
          std::string::npos);
}

TEST_CASE("the environment is searched for the variable and nothing like it")
{
    const child_result result = in_child([] {
        char other[] = "BUDDYSLABS=decay_ms=1";
        char bare[] = "BUDDYSLAB";
        char right[] = "BUDDYSLAB=decay_ms=2";
        char* const environment[] = {other, bare, right, nullptr};
        load_params_from(environment);
        if (param.decay_ms != 2)
            _exit(1);
        char* const none[] = {nullptr};
        load_params_from(none);
        load_params_from(nullptr);
        _exit(param.decay_ms != 2);
    });
    CHECK(result.succeeded());
    CHECK(result.text == "");
}
