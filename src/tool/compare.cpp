/*
 * The user's own program under each allocator that is installed, and what it costs there.
 *
 * The runs are interleaved, each round in another order, so that what changes on the machine meanwhile
 * meets all alike.  Figures are medians; the spread is what lies between the quartiles.
 */
#include "tool/clock.hpp"
#include "tool/commands.hpp"
#include "tool/launch.hpp"
#include "tool/map.hpp"
#include "tool/output.hpp"
#include "tool/target.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <glob.h>
#include <sstream>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bsl::tool
{

namespace
{

struct cost
{
    double seconds;
    double processor_seconds;
    double resident_bytes;
    double faults;
};

struct allocator
{
    std::string name;
    std::string library;
    std::vector<cost> runs;
};

struct figure
{
    const char* name;
    double cost::*value;
};
constexpr figure figures[] = {
    {"time", &cost::seconds},
    {"cpu", &cost::processor_seconds},
    {"peak RSS", &cost::resident_bytes},
    {"faults", &cost::faults},
};

struct known_allocator
{
    const char* name;
    const char* files;
};
/// glibc is preloaded too: some programs are linked with an allocator of their own.
constexpr known_allocator known[] = {
    {"glibc", "libc.so.6"},
    {"jemalloc", "libjemalloc.so.2"},
    {"mimalloc", "libmimalloc.so.[23]*"},
    {"tcmalloc", "libtcmalloc_minimal.so.4"},
};

std::string find_library(const char* files)
{
    for (const char* folder :
         {"/usr/lib/*-linux-gnu/", "/lib/*-linux-gnu/", "/usr/lib64/", "/usr/lib/"}) {
        glob_t found{};
        std::string first;
        if (glob((std::string(folder) + files).c_str(), 0, nullptr, &found) == 0 &&
            found.gl_pathc != 0)
            first = found.gl_pathv[0];
        globfree(&found);
        if (!first.empty())
            return first;
    }
    return "";
}

std::vector<allocator> find_allocators()
{
    std::vector<allocator> all;
    for (const known_allocator& k : known) {
        const std::string library = find_library(k.files);
        if (!library.empty())
            all.push_back({k.name, library, {}});
        else
            std::fprintf(stderr, "buddyslab: %s is not installed: left out\n", k.name);
    }
    all.push_back({"buddyslab", own_library(), {}});
    return all;
}

// --- measuring ---------------------------------------------------------------------------------

double seconds_of(const timeval& t)
{
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
}

[[noreturn]] void become(const allocator& a, const words& program)
{
    preload(a.library);
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDOUT_FILENO);
    execvp(program[0].c_str(), arguments_of(program).data());
    _exit(127);
}

void run_once(allocator& a, const words& program)
{
    const double start = now();
    // fork, not vfork: the peak RSS of the child begins with that of its memory before exec.
    const pid_t child = fork();
    if (child == 0)
        become(a, program);
    int status = 0;
    rusage use{};
    if (child < 0 || wait4(child, &status, 0, &use) != child)
        throw failure(program[0] + " could not be started: " + std::strerror(errno));
    const double end = now();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        throw failure(program[0] + " under " + a.name + " ended with " +
                      (WIFEXITED(status) ? "status " + std::to_string(WEXITSTATUS(status))
                                         : "signal " + std::to_string(WTERMSIG(status))));
    a.runs.push_back({end - start, seconds_of(use.ru_utime) + seconds_of(use.ru_stime),
                      static_cast<double>(use.ru_maxrss) * 1024,
                      static_cast<double>(use.ru_minflt + use.ru_majflt)});
}

// --- showing -----------------------------------------------------------------------------------

double quantile(const allocator& a, double cost::*value, double part)
{
    std::vector<double> all;
    for (const cost& c : a.runs)
        all.push_back(c.*value);
    std::sort(all.begin(), all.end());
    const double at = part * static_cast<double>(all.size() - 1);
    const auto low = static_cast<std::size_t>(at);
    const std::size_t high = std::min(low + 1, all.size() - 1);
    return all[low] + (at - static_cast<double>(low)) * (all[high] - all[low]);
}

std::string spelled(double value, double cost::*what)
{
    char text[32];
    if (what == &cost::resident_bytes)
        return human(static_cast<std::size_t>(value));
    if (what == &cost::faults)
        std::snprintf(text, sizeof text, "%.0f", value);
    else
        std::snprintf(text, sizeof text, value < 1 ? "%.1f ms" : "%.2f s",
                      value < 1 ? value * 1000 : value);
    return text;
}

void print_table(const std::vector<allocator>& all)
{
    std::printf("%-11s", "");
    for (const figure& f : figures)
        std::printf("%12s", f.name);
    std::printf("   (medians of %zu runs)\n", all[0].runs.size());
    for (const allocator& a : all) {
        std::printf("%-11s", a.name.c_str());
        for (const figure& f : figures)
            std::printf("%12s", spelled(quantile(a, f.value, 0.5), f.value).c_str());
        std::printf("\n");
    }
}

double largest(const std::vector<allocator>& all, double cost::*value)
{
    double most = 0;
    for (const allocator& a : all)
        most = std::max(most, quantile(a, value, 0.75));
    return most <= 0 ? 1 : most;
}

/// Bars of text; the dots reach from the lower to the upper quartile.
void print_bars(const std::vector<allocator>& all)
{
    constexpr double width = 50;
    for (const figure& f : figures) {
        if (f.value == &cost::processor_seconds)
            continue;
        const double most = largest(all, f.value);
        std::printf("\n%s\n", f.name);
        for (const allocator& a : all) {
            const auto bar = static_cast<std::size_t>(quantile(a, f.value, 0.25) / most * width);
            const auto end = static_cast<std::size_t>(quantile(a, f.value, 0.75) / most * width);
            const std::string text = std::string(bar, '#') + std::string(end - bar, '.');
            std::printf("  %-11s|%-50s| %s\n", a.name.c_str(), text.c_str(),
                        spelled(quantile(a, f.value, 0.5), f.value).c_str());
        }
    }
}

void draw_plot(std::ostream& to, const std::vector<allocator>& all, const std::string& title)
{
    constexpr unsigned width = 760, left = 110, bar = 20, step = 26, room = 560;
    const auto nr = static_cast<unsigned>(all.size());
    const unsigned block = nr * step + 40;
    const unsigned height = 50 + 3 * block;
    to << "<svg xmlns='http://www.w3.org/2000/svg' width='" << width << "' height='" << height
       << "' font-family='sans-serif' font-size='12'>\n<rect width='100%' height='100%' "
          "fill='white'/>\n"
       << "<text x='16' y='26' font-size='16'>" << escaped(title) << "</text>\n";
    unsigned y = 50;
    for (const figure& f : figures) {
        if (f.value == &cost::processor_seconds)
            continue;
        to << "<text x='16' y='" << y + 10 << "' font-weight='bold'>" << f.name << "</text>\n";
        const double scale = (room - 90) / largest(all, f.value);
        for (unsigned i = 0; i < nr; ++i) {
            const unsigned top = y + 18 + i * step;
            const double middle = quantile(all[i], f.value, 0.5) * scale;
            const double low = left + quantile(all[i], f.value, 0.25) * scale;
            const double high = left + quantile(all[i], f.value, 0.75) * scale;
            to << "<text x='" << left - 8 << "' y='" << top + 14 << "' text-anchor='end'>"
               << all[i].name << "</text>\n<rect x='" << left << "' y='" << top << "' width='"
               << middle << "' height='" << bar << "' fill='"
               << (all[i].name == "buddyslab" ? "#d62728" : "#8a8a8a") << "'/>\n<line x1='" << low
               << "' x2='" << high << "' y1='" << top + bar / 2 << "' y2='" << top + bar / 2
               << "' stroke='black' stroke-width='2'/>\n<text x='"
               << std::max(middle + left, high) + 6 << "' y='" << top + 14 << "'>"
               << spelled(quantile(all[i], f.value, 0.5), f.value) << "</text>\n";
        }
        y += block;
    }
    to << "</svg>\n";
}

} // namespace

int compare_allocators(const words& arguments)
{
    const options given(arguments, {"n=", "runs=", "plot="}, true);
    const words& program = given.operands();
    if (program.empty())
        throw failure(
            "usage: buddyslab compare [-n RUNS] [--plot FILE.svg] [--] PROGRAM [ARGS...]");
    const std::string file = program_file(program[0]);
    if (file.empty())
        throw failure("there is no program " + program[0]);
    if (is_static(file))
        throw failure(file + " is statically linked: no library can be preloaded into it");
    const auto rounds =
        static_cast<std::size_t>(given.has("n") ? given.number("n", 5) : given.number("runs", 5));
    if (rounds == 0)
        throw failure("-n wants at least one run");

    std::vector<allocator> all = find_allocators();
    for (std::size_t round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < all.size(); ++i)
            run_once(all[(i + round) % all.size()], program);
    }
    print_table(all);
    print_bars(all);
    if (given.has("plot")) {
        std::string title;
        for (const std::string& word : program)
            title += (title.empty() ? "" : " ") + word;
        std::ostringstream plot;
        draw_plot(plot, all, title.substr(0, 90));
        put_out(plot.str(), given.value("plot"));
    }
    return 0;
}

} // namespace bsl::tool
