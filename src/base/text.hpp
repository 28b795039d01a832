#pragma once

/// Cutting text.  std::string_view::substr() is not for us: it can throw, and so needs a C++ runtime.

#include <string_view>

namespace bsl
{

/// `text` up to the first of the separators, or all of it.
constexpr std::string_view text_until(std::string_view text, std::string_view separators)
{
    const std::size_t end = text.find_first_of(separators);
    return {text.data(), end == std::string_view::npos ? text.size() : end};
}

} // namespace bsl
