#pragma once

/// Run-time parameters: one line of params.def each.
///
/// Every parameter has its default from the first instruction on; load_params() replaces them once,
/// from a constructor, while the process has one thread.  Afterwards they are read only, but for
/// those that mallopt() sets (relaxed atomics would gain nothing: a torn read cannot happen to an
/// aligned word).

#include "config/limits.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bsl
{

/// The longest text of a parameter, terminator included.
inline constexpr std::size_t param_text_size = 128;

struct params
{
#define PARAM_SIZE(name, value, min, max, meaning) std::size_t name = value;
#define PARAM_NUMBER(name, value, min, max, meaning) std::size_t name = value;
#define PARAM_CHOICE(name, choices, meaning) unsigned name = 0;
#define PARAM_TEXT(name, meaning) char name[param_text_size] = "";
#include "config/params.def"
#undef PARAM_SIZE
#undef PARAM_NUMBER
#undef PARAM_CHOICE
#undef PARAM_TEXT
};

extern constinit params param;

/// Writes the value of a parameter as text: a choice by its name, a size in bytes.  False: no parameter
/// has this name.
bool format_param(std::string_view name, class format_sink& to);

/// Takes what `text` says over into param.  An unknown name or a wrong value is reported by one
/// line and skipped.
void load_params(const char* text);

/// Looks BUDDYSLAB up in `environment` and loads it, unless the process is in secure execution.
void load_params_from(char* const* environment);

} // namespace bsl
