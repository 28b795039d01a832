#pragma once

/// Text of any length through a small buffer: no allocation, no stdio, usable in a signal handler.

#include "base/format.hpp"

namespace bsl
{

class stream
{
public:
    /// Takes what has been written; false ends the stream.
    using sink = bool (*)(void* context, std::string_view text);

    stream(sink to, void* context) : to_(to), context_(context) {}
    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;
    ~stream() { flush(); }

    stream& text(std::string_view s)
    {
        for (const char c : s) {
            if (length_ == sizeof buffer_)
                flush();
            buffer_[length_++] = c;
        }
        return *this;
    }

    stream& pad(std::size_t n, char with = ' ')
    {
        for (; n != 0; --n)
            text({&with, 1});
        return *this;
    }

    /// As printf's %*s and %-*s.
    stream& right(std::string_view s, std::size_t width)
    {
        return pad(s.size() < width ? width - s.size() : 0).text(s);
    }
    stream& left(std::string_view s, std::size_t width)
    {
        return text(s).pad(s.size() < width ? width - s.size() : 0);
    }

    stream& decimal(std::uint64_t value, std::size_t width = 0)
    {
        format<24> digits;
        return right(digits.decimal(value).view(), width);
    }

    /// As printf's %-*lu.
    stream& left_decimal(std::uint64_t value, std::size_t width)
    {
        format<24> digits;
        return left(digits.decimal(value).view(), width);
    }

    stream& pointer(std::uintptr_t value)
    {
        format<24> digits;
        return text(digits.pointer(value).view());
    }

    /// False once something could not be written.
    bool flush()
    {
        works_ = works_ && to_(context_, {buffer_, length_});
        length_ = 0;
        return works_;
    }

private:
    char buffer_[1024];
    std::size_t length_ = 0;
    bool works_ = true;
    sink to_;
    void* context_;
};

} // namespace bsl
