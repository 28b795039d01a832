/*
 * The reports of proc/report.hpp, of another process.
 */
#include "tool/clock.hpp"
#include "tool/commands.hpp"
#include "tool/output.hpp"
#include "tool/target.hpp"

#include "proc/report.hpp"

#include <csignal>
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
        wait(seconds);
        if (interrupted != 0)
            break;
        std::string text;
        try {
            text = text_of(of, report);
        } catch (const failure&) {
            break; // it has ended: the last report stays
        }
        put_out(text, file);
    }
}

} // namespace

int show_report(const std::string& name, const words& arguments)
{
    const options given(arguments, {"core=", "exe="});
    const auto of = target_of(given, name + " PID | --core FILE [--exe FILE]");
    put_out(text_of(*of, name), "");
    return 0;
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
    put_out(text_of(*of, report), file);
    if (given.has("every"))
        repeat(*of, report, file, given.number("every", 1),
               given.has("count") ? given.number("count", 1, 1e9)
                                  : std::numeric_limits<double>::infinity());
    return 0;
}

} // namespace bsl::tool
