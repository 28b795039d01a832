/*
 * A file is replaced by a new one next to it, which takes its name when it is complete:
 *
 *     name ---links---> heap.prom
 *                       heap.prom.2871094522     made by us and nobody else, then renamed
 *
 * The new name cannot be foreseen: somebody who may write to the folder, too, could have put a link
 * there; and two who write the same report do not meet.
 */
#include "host/file.hpp"

#include "base/format.hpp"

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bsl::host
{

namespace
{

constexpr std::size_t path_max = 1024; // on a signal handler's stack
constexpr std::size_t suffix_max = 16;
constexpr mode_t all_rights = 0777;
constexpr mode_t rights_of_new = 0666; // less what the umask takes away

struct place
{
    char path[path_max];
    bool exists;
    mode_t rights;
};

void name_place(place& to, std::string_view path, bool exists, mode_t rights)
{
    format_sink(to.path, sizeof to.path).text(path);
    to.exists = exists;
    to.rights = exists ? rights & all_rights : rights_of_new;
}

/// The file at the end of a link, if it is a regular one that has a name.  The kernel follows the links:
/// it says where what it has opened is.
bool follow(const char* link, place& to)
{
    const int fd = open(link, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return false;
    format<32> self;
    self.text("/proc/self/fd/").decimal(static_cast<unsigned>(fd));
    char path[path_max];
    const ssize_t n = readlink(self.c_str(), path, sizeof path);
    struct stat opened;
    const bool is_file = n > 0 && static_cast<std::size_t>(n) < sizeof path &&
                         fstat(fd, &opened) == 0 && S_ISREG(opened.st_mode);
    close(fd);
    if (!is_file)
        return false;
    name_place(to, {path, static_cast<std::size_t>(n)}, true, opened.st_mode);
    struct stat named; // another if the name is "/tmp/heap (deleted)"
    return lstat(to.path, &named) == 0 && named.st_dev == opened.st_dev &&
           named.st_ino == opened.st_ino;
}

/// Is there a regular file, or nothing?
bool find_place(const char* name, place& to)
{
    struct stat there
    {};
    const bool exists = lstat(name, &there) == 0;
    if (exists && S_ISLNK(there.st_mode))
        return follow(name, to);
    name_place(to, name, exists, there.st_mode);
    return !exists || S_ISREG(there.st_mode);
}

std::uint32_t random_number()
{
    std::uint32_t number = 0;
    if (getrandom(&number, sizeof number, GRND_NONBLOCK) == sizeof number)
        return number;
    timespec now{}; // a sandbox forbids the other: O_EXCL is what it depends on
    clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::uint32_t>(now.tv_nsec) ^ static_cast<std::uint32_t>(gettid()) << 12;
}

int close_after(int fd, int error)
{
    return close(fd) != 0 && error == 0 ? -errno : error;
}

int write_as_it_is(const char* name, int (*write)(int fd, const void* context), const void* context,
                   without_reader then)
{
    const int no_wait = then == without_reader::fail ? O_NONBLOCK : 0;
    const int fd =
        open(name, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_CLOEXEC | no_wait, rights_of_new);
    if (fd < 0)
        return -errno;
    fcntl(fd, F_SETFL, O_WRONLY); // a reader who is slow is waited for
    return close_after(fd, write(fd, context));
}

int write_new(const place& at, int (*write)(int fd, const void* context), const void* context)
{
    format<path_max> next;
    next.text(at.path).text(".").decimal(random_number());
    if (next.view().size() + suffix_max >= path_max)
        return -ENAMETOOLONG;
    const int fd =
        open(next.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, at.rights);
    if (fd < 0)
        return -errno;
    if (at.exists)
        fchmod(fd, at.rights); // in spite of the umask, which is for new files
    int error = close_after(fd, write(fd, context));
    if (error == 0 && rename(next.c_str(), at.path) != 0)
        error = -errno;
    if (error != 0)
        unlink(next.c_str());
    return error;
}

} // namespace

int replace_file(const char* name, int (*write)(int fd, const void* context), const void* context,
                 without_reader then)
{
    const int saved = errno;
    place at;
    const int error = find_place(name, at) ? write_new(at, write, context)
                                           : write_as_it_is(name, write, context, then);
    errno = saved;
    return error;
}

} // namespace bsl::host
