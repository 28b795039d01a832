#include "tool/output.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>

namespace bsl::tool
{

void put_out(const std::string& text, const std::string& file)
{
    if (file.empty()) {
        if (!(std::cout << text << std::flush))
            throw failure(std::string("cannot write to standard output: ") + std::strerror(errno));
        return;
    }
    const std::string next = file + ".new";
    std::ofstream out(next, std::ios::trunc);
    out << text;
    out.close();
    if (out && std::rename(next.c_str(), file.c_str()) == 0)
        return;
    const int error = errno;
    std::remove(next.c_str());
    throw failure("cannot write " + file + ": " + std::strerror(error));
}

std::unique_ptr<target> target_of(const options& given, const std::string& usage)
{
    if (!given.has("core"))
        return target::process(given.operand(usage));
    if (!given.operands().empty())
        throw failure("usage: buddyslab " + usage);
    return target::core(given.value("core"), given.value("exe"));
}

} // namespace bsl::tool
