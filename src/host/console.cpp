#include "host/console.hpp"

#include "base/check.hpp"
#include "base/format.hpp"

#include <cerrno>
#include <cstdlib>
#include <unistd.h>

namespace bsl
{

namespace host
{

void write_all(int fd, std::string_view text)
{
    const int saved = errno;
    while (!text.empty()) {
        const ssize_t n = write(fd, text.data(), text.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    errno = saved;
}

void print_line(std::string_view text)
{
    format<1024> line;
    line.text("buddyslab: ").text(text).text("\n");
    write_all(STDERR_FILENO, line.view());
}

} // namespace host

void panic(const char* text)
{
    host::print_line(text);
    std::abort();
}

void vm_bug(const char* condition, const char* file, int line)
{
    format<512> text;
    text.text("internal error: ").text(condition).text(" at ").text(file).text(":");
    panic(text.decimal(static_cast<unsigned>(line)).c_str());
}

} // namespace bsl
