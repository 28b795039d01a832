/*
 * The reports of proc/report.hpp, of another process: on standard output, or into a file that is
 * replaced as a whole, so that its reader never sees half of one.
 */
#include "tool/commands.hpp"
#include "tool/target.hpp"

#include "proc/report.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>
#include <limits>

namespace bsl::tool
{

namespace
{

std::string text_of(target& of, const std::string& report)
{
    std::string text;
    const snapshot& heap = of.look();
    stream out(
        [](void* context, std::string_view part) {
            static_cast<std::string*>(context)->append(part);
            return true;
        },
        &text);
    if (!print_report(out, report, {heap, of.memory(), of.root(), of.space()}))
        throw failure(of.name() + " has ended");
    return text;
}

std::unique_ptr<target> target_of(const options& given, const std::string& usage)
{
    if (!given.has("core"))
        return target::process(given.operand(usage));
    if (!given.operands().empty())
        throw failure("usage: buddyslab " + usage);
    return target::core(given.value("core"), given.value("exe"));
}

void replace_file(const std::string& name, const std::string& text)
{
    const std::string next = name + ".new";
    std::ofstream out(next, std::ios::trunc);
    out << text;
    out.close();
    if (!out || std::rename(next.c_str(), name.c_str()) != 0)
        throw failure("cannot write " + name + ": " + std::strerror(errno));
}

volatile std::sig_atomic_t interrupted = 0;

/// Until a signal comes, the process ends, or `count` reports are written.
void repeat(target& of, const std::string& report, const std::string& file, double seconds,
            double count)
{
    struct sigaction action = {};
    action.sa_handler = [](int) { interrupted = 1; };
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    for (double done = 1; done < count && interrupted == 0; ++done) {
        const auto whole = static_cast<std::time_t>(seconds);
        timespec left{whole, static_cast<long>((seconds - static_cast<double>(whole)) * 1e9)};
        nanosleep(&left, nullptr);
        if (interrupted != 0)
            break;
        std::string text;
        try {
            text = text_of(of, report);
        } catch (const failure&) {
            break; // it has ended: the last report stays
        }
        if (file.empty())
            std::cout << text << std::flush;
        else
            replace_file(file, text);
    }
}

} // namespace

int show_report(const std::string& name, const words& arguments)
{
    const options given(arguments, {"core=", "exe="});
    const auto of = target_of(given, name + " PID | --core FILE [--exe FILE]");
    std::cout << text_of(*of, name) << std::flush;
    return std::cout ? 0 : 1;
}

int show_stat(const words& arguments)
{
    const options given(arguments,
                        {"json", "prometheus", "every=", "count=", "output=", "core=", "exe="});
    const auto of = target_of(given, "stat [--json | --prometheus] [--every SECONDS [--count N]] "
                                     "[--output FILE] PID | --core FILE [--exe FILE]");
    const std::string report = given.has("prometheus") ? "prometheus"
                               : given.has("json")     ? "json"
                                                       : "text";
    const std::string file = given.value("output");
    const std::string text = text_of(*of, report);
    if (file.empty())
        std::cout << text << std::flush;
    else
        replace_file(file, text);
    if (given.has("every"))
        repeat(*of, report, file, given.number("every", 1),
               given.number("count", std::numeric_limits<double>::infinity()));
    return std::cout ? 0 : 1;
}

} // namespace bsl::tool
