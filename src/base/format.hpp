#pragma once

/// Builds a line of text in a fixed buffer: no allocation, no locale, safe at any time.
///
///     format<256> line;
///     line.text("object ").decimal(3).text(" at ").pointer(p);
///     … line.view() …
///
/// What does not fit is cut off; the text is always terminated.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bsl
{

class format_sink
{
public:
    format_sink(char* buffer, std::size_t capacity) : buffer_(buffer), capacity_(capacity)
    {
        buffer_[0] = '\0';
    }

    format_sink& text(std::string_view s);
    format_sink& decimal(std::uint64_t value);
    format_sink& signed_decimal(std::int64_t value);
    /// 0x and lower-case hexadecimal digits.
    format_sink& pointer(std::uintptr_t value);
    format_sink& pointer(const void* p) { return pointer(reinterpret_cast<std::uintptr_t>(p)); }

    std::string_view view() const { return {buffer_, length_}; }
    const char* c_str() const { return buffer_; }
    void clear();

private:
    void put(char c);

    char* buffer_;
    std::size_t capacity_;
    std::size_t length_ = 0;
};

/// A sink with its buffer.
template <std::size_t N>
class format : public format_sink
{
public:
    format() : format_sink(storage_, N) {}
    format(const format&) = delete;
    format& operator=(const format&) = delete;

private:
    char storage_[N];
};

} // namespace bsl
