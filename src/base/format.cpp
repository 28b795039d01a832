#include "base/format.hpp"

namespace bsl
{

void format_sink::put(char c)
{
    if (length_ + 1 >= capacity_)
        return;
    buffer_[length_++] = c;
    buffer_[length_] = '\0';
}

void format_sink::clear()
{
    length_ = 0;
    buffer_[0] = '\0';
}

format_sink& format_sink::text(std::string_view s)
{
    for (char c : s)
        put(c);
    return *this;
}

format_sink& format_sink::decimal(std::uint64_t value)
{
    char digits[20];
    unsigned n = 0;
    do {
        digits[n++] = static_cast<char>('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (n != 0)
        put(digits[--n]);
    return *this;
}

format_sink& format_sink::signed_decimal(std::int64_t value)
{
    if (value >= 0)
        return decimal(static_cast<std::uint64_t>(value));
    put('-');
    return decimal(~static_cast<std::uint64_t>(value) + 1);
}

format_sink& format_sink::pointer(std::uintptr_t value)
{
    text("0x");
    unsigned shift = 60;
    while (shift != 0 && (value >> shift) == 0)
        shift -= 4;
    for (;; shift -= 4) {
        put("0123456789abcdef"[(value >> shift) & 15]);
        if (shift == 0)
            return *this;
    }
}

} // namespace bsl
