#include "unit/child.hpp"

#include "base/check.hpp"
#include "host/console.hpp"

#include <catch2/catch.hpp>

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/resource.h>

using namespace bsl;

TEST_CASE("a line is written with its prefix, and errno is left alone")
{
    const child_result result = in_child([] {
        errno = 4711;
        host::print_line("hello");
        _exit(errno != 4711);
    });
    CHECK(result.text == "buddyslab: hello\n");
    CHECK(result.succeeded());
}

TEST_CASE("text that cannot be written is an error, not a loop")
{
    CHECK(host::write_all(-1, "x") == -EBADF);
    CHECK(host::write_all(-1, "") == 0);
}

TEST_CASE("a panic prints and aborts")
{
    const child_result result = in_child([] { panic("the end"); });
    CHECK(result.text == "buddyslab: the end\n");
    CHECK(result.aborted());
}

TEST_CASE("our own mistakes name the condition and the place")
{
    const child_result result = in_child([] { vm_bug("a < b", "file.cpp", 12); });
    CHECK(result.text == "buddyslab: internal error: a < b at file.cpp:12\n");
    CHECK(result.aborted());
}

TEST_CASE("the kept console outlives standard error")
{
    const child_result result = in_child([] {
        host::keep_console();
        close(STDERR_FILENO);
        host::write_all(host::kept_console(), "still here\n");
    });
    CHECK(result.text == "still here\n");
}

TEST_CASE("standard error serves where the duplicate is gone")
{
    const child_result result = in_child([] {
        host::keep_console();
        closefrom(STDERR_FILENO + 1);
        host::write_all(host::kept_console(), "still here\n");
    });
    CHECK(result.text == "still here\n");
}

TEST_CASE("standard error serves where there is no room for a duplicate")
{
    const child_result result = in_child([] {
        const rlimit low{STDERR_FILENO + 1, STDERR_FILENO + 1};
        setrlimit(RLIMIT_NOFILE, &low);
        host::keep_console();
        host::write_all(host::kept_console(), "still here\n");
    });
    CHECK(result.text == "still here\n");
}

TEST_CASE("what the program opened under the duplicate's number is not written to")
{
    const child_result result = in_child([] {
        host::keep_console();
        const int file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
        // Every descriptor there is, standard error included, is now that file.
        for (int fd = 0; fd < 1024; ++fd) {
            if (fd != file && fcntl(fd, F_GETFD) != -1)
                dup2(file, fd);
        }
        host::write_all(host::kept_console(), "not for you\n");
        _exit(lseek(file, 0, SEEK_END) != 0);
    });
    CHECK(result.succeeded());
}

TEST_CASE("a low limit of descriptors does not prevent a duplicate")
{
    const child_result result = in_child([] {
        const rlimit low{100, 100};
        setrlimit(RLIMIT_NOFILE, &low);
        host::keep_console();
        close(STDERR_FILENO);
        host::write_all(host::kept_console(), "still here\n");
    });
    CHECK(result.text == "still here\n");
}
