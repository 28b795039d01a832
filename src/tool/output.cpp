#include "tool/output.hpp"

#include "host/console.hpp"
#include "host/file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace bsl::tool
{

void flush_output()
{
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
        throw failure(std::string("cannot write to standard output: ") + std::strerror(errno));
}

void put_out(const std::string& text, const std::string& file)
{
    if (file.empty()) {
        std::fwrite(text.data(), 1, text.size(), stdout);
        flush_output();
        return;
    }
    const auto write = [](int fd, const void* context) {
        return host::write_all(fd, *static_cast<const std::string*>(context));
    };
    const int error = host::replace_file(file.c_str(), write, &text, host::without_reader::wait);
    if (error != 0)
        throw failure("cannot write " + file + ": " + std::strerror(-error));
}

std::unique_ptr<target> target_of(const options& given, const std::string& usage)
{
    given.refuse_without("exe", "core");
    if (!given.has("core"))
        return target::process(given.operand(usage));
    if (!given.operands().empty())
        throw failure("usage: buddyslab " + usage);
    return target::core(given.value("core"), given.value("exe"));
}

} // namespace bsl::tool
