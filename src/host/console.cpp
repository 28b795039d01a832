#include "host/console.hpp"

#include "base/check.hpp"
#include "base/format.hpp"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bsl
{

namespace host
{

namespace
{

/// Above what programs that pass descriptors around by number use, below the usual limit of 1024.
constexpr int kept_fd_min = 500;

/// The duplicate, and which file it is.
struct kept_file
{
    int fd;
    dev_t device;
    ino_t inode;
};
constinit kept_file kept{-1, 0, 0};

} // namespace

int write_all(int fd, std::string_view text)
{
    const int saved = errno;
    int error = 0;
    while (!text.empty()) {
        const ssize_t n = write(fd, text.data(), text.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            error = n < 0 ? -errno : -EIO;
            break;
        }
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    errno = saved;
    return error;
}

void print_line(std::string_view text)
{
    format<1024> line;
    line.text("buddyslab: ").text(text).text("\n");
    write_all(STDERR_FILENO, line.view());
}

void keep_console()
{
    const int saved = errno;
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, kept_fd_min);
    if (fd < 0)
        fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1); // a lower limit
    struct stat file;
    if (fstat(STDERR_FILENO, &file) == 0) // itself is as good, as long as it is there
        kept = {fd, file.st_dev, file.st_ino};
    errno = saved;
}

int kept_console()
{
    const int saved = errno;
    int found = -1;
    for (const int fd : {STDERR_FILENO, kept.fd}) {
        struct stat file;
        if (fd >= 0 && fstat(fd, &file) == 0 && file.st_dev == kept.device &&
            file.st_ino == kept.inode)
            found = fd;
    }
    errno = saved;
    return found;
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
