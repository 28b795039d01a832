/// Runs one program under an allocator and reports what it cost.
///
///   launch [-l library.so] [-n times] [-r report-fd] -- program arguments…
///
/// It is a program of its own, small and static, for two reasons.  The kernel starts a child's peak
/// RSS at that of the process it was forked from, so that the children of a Python script would all
/// have the size of Python.  And LD_PRELOAD is set in the child's environment only; nobody else
/// gets the library.
///
/// Whether the library was really loaded is read from the child's own /proc/PID/maps at the moment
/// when it exits: the child is traced (ptrace) only to be stopped there.  With -n the first run is
/// traced and not counted, the others are counted and not traced; their wall time is the median,
/// their other costs are means, and the peak RSS is the highest.
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

extern char** environ;

namespace
{

struct arguments
{
    const char* library = nullptr;
    long times = 0;
    int report = STDOUT_FILENO;
    char** program = nullptr;
};

struct outcome
{
    int status = 0;
    long long wall_ns = 0;
    rusage usage{};
    bool loaded = false;
};

long long now_ns()
{
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

[[noreturn]] void fail(const char* what)
{
    std::fprintf(stderr, "launch: %s: %s\n", what, std::strerror(errno));
    std::_Exit(127);
}

arguments parse(int argc, char** argv)
{
    arguments arguments;
    for (int option; (option = getopt(argc, argv, "+l:n:r:")) != -1;) {
        switch (option) {
        case 'l':
            arguments.library = optarg;
            break;
        case 'n':
            arguments.times = std::strtol(optarg, nullptr, 10);
            break;
        case 'r':
            arguments.report = static_cast<int>(std::strtol(optarg, nullptr, 10));
            break;
        default:
            std::_Exit(127);
        }
    }
    arguments.program = argv + optind;
    if (!*arguments.program)
        std::_Exit(127);
    return arguments;
}

/// The environment of the child: ours, with LD_PRELOAD replaced.
char** child_environment(const char* library)
{
    static constexpr char name[] = "LD_PRELOAD=";
    std::size_t count = 0;
    while (environ[count])
        ++count;
    auto** copy = static_cast<char**>(std::calloc(count + 2, sizeof(char*)));
    std::size_t kept = 0;
    for (std::size_t i = 0; i < count; ++i)
        if (std::strncmp(environ[i], name, sizeof name - 1) != 0)
            copy[kept++] = environ[i];
    if (library) {
        auto* setting = static_cast<char*>(std::malloc(sizeof name + std::strlen(library)));
        std::strcpy(setting, name);
        copy[kept] = std::strcat(setting, library);
    }
    return copy;
}

bool maps_contain(pid_t child, const char* library)
{
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/maps", child);
    std::FILE* maps = std::fopen(path, "re");
    if (!maps)
        return false;
    char line[PATH_MAX + 128];
    bool found = false;
    while (!found && std::fgets(line, sizeof line, maps))
        found = std::strstr(line, library);
    std::fclose(maps);
    return found;
}

/// Lets the traced child run; looks at its map when it is about to exit.  It stops first when the
/// program is in place (a plain SIGTRAP), then at each event we asked for, and for each signal that
/// somebody sends to it, which it is to have.
int wait_traced(pid_t child, const char* library, outcome& outcome)
{
    constexpr auto events = PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL;
    int status = 0;
    bool started = false;
    while (wait4(child, &status, __WALL, &outcome.usage) == child && WIFSTOPPED(status)) {
        const int event = status >> 16;
        int signal = event ? 0 : WSTOPSIG(status);
        if (!started) {
            ptrace(PTRACE_SETOPTIONS, child, nullptr, events);
            started = true;
            signal = 0;
        }
        if (event == PTRACE_EVENT_EXIT)
            outcome.loaded = !library || maps_contain(child, library);
        ptrace(PTRACE_CONT, child, nullptr, signal);
    }
    return status;
}

outcome run(const arguments& arguments, char** environment, bool traced)
{
    outcome outcome;
    const long long start = now_ns();
    const pid_t child = vfork();
    if (child < 0)
        fail("vfork");
    if (child == 0) {
        if (traced)
            ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        execvpe(arguments.program[0], arguments.program, environment);
        _exit(127);
    }
    if (traced)
        outcome.status = wait_traced(child, arguments.library, outcome);
    else if (wait4(child, &outcome.status, 0, &outcome.usage) != child)
        fail("wait4");
    outcome.wall_ns = now_ns() - start;
    return outcome;
}

/// Runs the program `times` times and joins the costs in one outcome.
outcome run_many(const arguments& arguments, char** environment)
{
    outcome sum;
    auto* wall = static_cast<long long*>(std::calloc(arguments.times, sizeof(long long)));
    for (long i = 0; i < arguments.times; ++i) {
        const outcome one = run(arguments, environment, false);
        wall[i] = one.wall_ns;
        sum.status = sum.status ? sum.status : one.status;
        timeradd(&sum.usage.ru_utime, &one.usage.ru_utime, &sum.usage.ru_utime);
        timeradd(&sum.usage.ru_stime, &one.usage.ru_stime, &sum.usage.ru_stime);
        sum.usage.ru_minflt += one.usage.ru_minflt;
        sum.usage.ru_majflt += one.usage.ru_majflt;
        sum.usage.ru_nvcsw += one.usage.ru_nvcsw;
        sum.usage.ru_nivcsw += one.usage.ru_nivcsw;
        sum.usage.ru_maxrss = std::max(sum.usage.ru_maxrss, one.usage.ru_maxrss);
    }
    std::sort(wall, wall + arguments.times);
    sum.wall_ns = wall[arguments.times / 2];
    return sum;
}

void print(int file, const outcome& outcome, long times)
{
    const auto mean = [times](long sum) {
        return static_cast<double>(sum) / static_cast<double>(times);
    };
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    };
    const rusage& usage = outcome.usage;
    const int code =
        WIFSIGNALED(outcome.status) ? -WTERMSIG(outcome.status) : WEXITSTATUS(outcome.status);
    dprintf(file,
            "{\"status\": %d, \"loaded\": %s, \"wall\": %.9f, \"user\": %.9f, \"sys\": %.9f, "
            "\"rss_kib\": %ld, \"faults\": %.2f, \"major_faults\": %.2f, \"switches\": %.2f}\n",
            code, outcome.loaded ? "true" : "false", static_cast<double>(outcome.wall_ns) * 1e-9,
            seconds(usage.ru_utime) / static_cast<double>(times),
            seconds(usage.ru_stime) / static_cast<double>(times), usage.ru_maxrss,
            mean(usage.ru_minflt), mean(usage.ru_majflt), mean(usage.ru_nvcsw + usage.ru_nivcsw));
}

} // namespace

int main(int argc, char** argv)
{
    const arguments arguments = parse(argc, argv);
    char** environment = child_environment(arguments.library);
    fcntl(arguments.report, F_SETFD, FD_CLOEXEC);

    outcome total = run(arguments, environment, true);
    if (arguments.times > 0) {
        const bool loaded = total.loaded;
        total = run_many(arguments, environment);
        total.loaded = loaded;
    }
    print(arguments.report, total, arguments.times > 0 ? arguments.times : 1);
}
