#pragma once

/// JSON, written piece by piece: brackets close and commas fall where they belong.
///
///     json_object all(to);
///     all.number("threads", 3).text("name", "a \"b\"");
///     json_list list(all.member("sizes"));      // up to the end of its scope

#include "proc/stream.hpp"

namespace bsl
{

/// A string with its quotes.  For a page's script, too: no '<' or '&' stands in it as such.
inline void put_quoted(stream& to, std::string_view text)
{
    constexpr char digits[] = "0123456789abcdef";
    to.text("\"");
    for (const char c : text) {
        const auto code = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\' || c == '<' || c == '&' || code < ' ') {
            const char escape[] = {'\\', 'u', '0', '0', digits[code >> 4], digits[code & 15]};
            to.text({escape, sizeof escape});
        } else {
            to.text({&c, 1});
        }
    }
    to.text("\"");
}

class json_list
{
public:
    explicit json_list(stream& to, char open = '[', char close = ']') : to_(to), close_(close)
    {
        to_.text({&open, 1});
    }
    ~json_list() { to_.text({&close_, 1}); }
    json_list(const json_list&) = delete;
    json_list& operator=(const json_list&) = delete;

    /// Where the next element goes.
    stream& next()
    {
        to_.text(is_empty_ ? "" : ",");
        is_empty_ = false;
        return to_;
    }

private:
    stream& to_;
    char close_;
    bool is_empty_ = true;
};

class json_object
{
public:
    explicit json_object(stream& to) : members_(to, '{', '}') {}

    /// Where the value of a member goes.
    stream& member(std::string_view name)
    {
        stream& to = members_.next();
        put_quoted(to, name);
        return to.text(":");
    }

    json_object& number(std::string_view name, std::uint64_t value)
    {
        member(name).decimal(value);
        return *this;
    }
    json_object& text(std::string_view name, std::string_view value)
    {
        put_quoted(member(name), value);
        return *this;
    }
    json_object& flag(std::string_view name, bool value)
    {
        member(name).text(value ? "true" : "false");
        return *this;
    }

    /// Members that are a structure's, by a table of names.
    template <typename T, std::size_t N>
    json_object& numbers(const T& of,
                         const std::pair<std::string_view, std::size_t T::*> (&table)[N])
    {
        for (const auto& [name, value] : table)
            number(name, of.*value);
        return *this;
    }

private:
    json_list members_;
};

} // namespace bsl
