/*
 * The reports of proc/report.hpp, of another process.
 */
#include "tool/clock.hpp"
#include "tool/commands.hpp"
#include "tool/output.hpp"
#include "tool/target.hpp"

#include "proc/report.hpp"

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
        of.unreadable();
    return text;
}

/// Until a signal comes, the process ends, or `count` reports are written; one is there already.
void repeat(target& of, const std::string& report, const std::string& file, double seconds,
            double count)
{
    if (count > 1)
        catch_interrupts();
    for (double done = 1; done < count; ++done) {
        wait(seconds);
        if (interrupted())
            break;
        std::string text;
        try {
            text = text_of(of, report);
        } catch (const process_gone&) {
            break; // the last report stays
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
    given.refuse_together("json", "prometheus");
    given.refuse_without("count", "every");
    const double every = given.number("every", 1);
    const double count = given.has("count")   ? given.number("count", 1, 1e9)
                         : given.has("every") ? std::numeric_limits<double>::infinity()
                                              : 1;
    const std::string report = given.has("prometheus") ? "prometheus"
                               : given.has("json")     ? "json"
                                                       : "text";
    const std::string file = given.value("output");
    const auto of = target_of(given, "stat [--json | --prometheus] [--every SECONDS [--count N]] "
                                     "[--output FILE] PID | --core FILE [--exe FILE]");
    put_out(text_of(*of, report), file);
    repeat(*of, report, file, every, count);
    return 0;
}

} // namespace bsl::tool
