#include "host/console.hpp"
#include "host/file.hpp"

#include <catch2/catch.hpp>

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

using namespace bsl;

namespace
{

class folder
{
public:
    folder() { REQUIRE(mkdtemp(name_) != nullptr); }
    ~folder() { std::filesystem::remove_all(name_); }
    std::string operator/(const char* file) const { return std::string(name_) + "/" + file; }
    std::size_t nr_files() const
    {
        const std::filesystem::directory_iterator files(name_);
        return static_cast<std::size_t>(std::distance(begin(files), end(files)));
    }

private:
    char name_[32] = "/tmp/file_test.XXXXXX";
};

int put(const std::string& file, const char* text)
{
    const auto write = [](int fd, const void* context) {
        return host::write_all(fd, static_cast<const char*>(context));
    };
    return host::replace_file(file.c_str(), write, text);
}

std::string text_of(const std::string& file)
{
    std::ifstream in(file);
    std::string found;
    std::getline(in, found);
    return found;
}

void make(const std::string& file, const char* text)
{
    std::ofstream(file) << text;
}

mode_t rights_of(const std::string& file)
{
    struct stat facts
    {};
    REQUIRE(lstat(file.c_str(), &facts) == 0);
    return facts.st_mode & 07777;
}

} // namespace

TEST_CASE("a file is replaced as a whole, or not at all")
{
    const folder in;
    const std::string file = in / "report";
    CHECK(put(file, "the first, which is longer") == 0);
    CHECK(put(file, "the second") == 0);
    const auto fail = [](int fd, const void* text) {
        host::write_all(fd, static_cast<const char*>(text));
        return -EIO;
    };
    errno = 4711;
    CHECK(host::replace_file(file.c_str(), fail, "the third") == -EIO);
    CHECK(errno == 4711);
    CHECK(text_of(file) == "the second");
    CHECK(put("/no/such/folder/report", "") == -ENOENT);
    CHECK(put(in / "", "") == -EISDIR);
    CHECK(put(in / std::string(2000, 'x').c_str(), "") == -ENAMETOOLONG);
    CHECK(in.nr_files() == 1);
}

TEST_CASE("a file that is replaced keeps its access rights, and a new one has the usual ones")
{
    const folder in;
    const mode_t usual = umask(027);
    CHECK(put(in / "new", "x") == 0);
    CHECK(rights_of(in / "new") == 0640);
    for (const mode_t rights : {0600, 0666, 0755}) {
        REQUIRE(chmod((in / "new").c_str(), rights) == 0);
        CHECK(put(in / "new", "y") == 0);
        CHECK(rights_of(in / "new") == rights);
    }
    umask(usual);
}

TEST_CASE("a link stays, and the file that it leads to is replaced")
{
    const folder in;
    make(in / "file", "old");
    REQUIRE(symlink("file", (in / "near").c_str()) == 0);
    REQUIRE(symlink((in / "near").c_str(), (in / "far").c_str()) == 0);
    CHECK(put(in / "far", "new") == 0);
    CHECK(text_of(in / "file") == "new");
    CHECK(std::filesystem::is_symlink(in / "far"));
    CHECK(std::filesystem::is_symlink(in / "near"));
    REQUIRE(symlink("later", (in / "nowhere").c_str()) == 0);
    CHECK(put(in / "nowhere", "made") == 0);
    CHECK(text_of(in / "later") == "made");
    CHECK(in.nr_files() == 5);
}

TEST_CASE("a device and a FIFO are written as they are")
{
    const folder in;
    REQUIRE(mkfifo((in / "fifo").c_str(), 0600) == 0);
    CHECK(put(in / "fifo", "to nobody") == -ENXIO);
    const int reader = open((in / "fifo").c_str(), O_RDONLY | O_NONBLOCK);
    REQUIRE(reader >= 0);
    CHECK(put(in / "fifo", "hello") == 0);
    char text[16] = {};
    CHECK(read(reader, text, sizeof text) == 5);
    CHECK(std::string(text) == "hello");
    close(reader);
    REQUIRE(symlink("/dev/full", (in / "full").c_str()) == 0);
    CHECK(put(in / "full", "x") == -ENOSPC);
    CHECK(std::filesystem::is_symlink(in / "full"));
    CHECK(in.nr_files() == 2);
}

TEST_CASE("what somebody else put where a new file might be made is left alone")
{
    const folder in;
    make(in / "victim", "precious");
    REQUIRE(symlink("victim", (in / "report.new").c_str()) == 0);
    CHECK(put(in / "report", "x") == 0);
    CHECK(text_of(in / "victim") == "precious");
    CHECK(text_of(in / "report") == "x");
}
