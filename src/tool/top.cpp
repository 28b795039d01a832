/*
 * The caches of a process, live, in the manner of slabtop.
 *
 * The screen is written by control sequences that every terminal of today understands (ECMA-48), so
 * that the command needs no library for it.
 */
#include "tool/commands.hpp"
#include "tool/target.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <poll.h>
#include <sstream>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace bsl::tool
{

namespace
{

double now()
{
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

/// Page faults of a process since its start.
std::uint64_t faults_of(int pid)
{
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(stat, line);
    const std::size_t name_end = line.rfind(')');
    if (name_end == std::string::npos)
        return 0;
    std::istringstream rest(line.substr(name_end + 1));
    std::string skipped;
    for (int i = 0; i < 7; ++i) // state … flags
        rest >> skipped;
    std::uint64_t minor = 0;
    std::uint64_t of_children = 0;
    std::uint64_t major = 0;
    rest >> minor >> of_children >> major;
    return minor + major;
}

struct moment
{
    double time = 0;
    std::uint64_t faults = 0;
    snapshot heap;
};

// --- order -------------------------------------------------------------------------------------

std::size_t waste_of(const cache_figures& c)
{
    const std::size_t resident = c.nr_resident << page_shift;
    return resident > c.live_bytes() ? resident - c.live_bytes() : 0;
}

std::size_t divide(std::size_t a, std::size_t b)
{
    return b == 0 ? 0 : a / b;
}

std::size_t use_of(const cache_figures& c)
{
    return divide(100 * c.nr_live(), c.nr_objects);
}

/// slabtop's keys, and w.
struct sort_key
{
    char key;
    const char* name;
    std::size_t (*value)(const cache_figures& c);
};

constexpr sort_key sort_keys[] = {
    {'a', "live objects", [](const cache_figures& c) { return c.nr_live(); }},
    {'b', "objects per slab",
     [](const cache_figures& c) { return divide(c.nr_objects, c.nr_slabs); }},
    {'c', "cache size", [](const cache_figures& c) { return c.bytes(); }},
    {'l', "slabs", [](const cache_figures& c) { return c.nr_slabs; }},
    {'v', "active slabs", [](const cache_figures& c) { return c.nr_active_slabs; }},
    {'n', "name", nullptr},
    {'o', "objects", [](const cache_figures& c) { return c.nr_objects; }},
    {'p', "pages per slab", [](const cache_figures& c) { return divide(c.nr_pages, c.nr_slabs); }},
    {'s', "object size", [](const cache_figures& c) { return c.size; }},
    {'u', "use", use_of},
    {'w', "waste", waste_of},
};

const sort_key* find_key(char key)
{
    for (const sort_key& k : sort_keys) {
        if (k.key == key)
            return &k;
    }
    return nullptr;
}

std::vector<const cache_figures*> sorted(const snapshot& heap, const sort_key& by)
{
    std::vector<const cache_figures*> all;
    for (const cache_figures& c : heap.caches) {
        if (c.nr_slabs != 0)
            all.push_back(&c);
    }
    std::stable_sort(all.begin(), all.end(), [&by](const cache_figures* a, const cache_figures* b) {
        return by.value == nullptr ? std::string_view(a->name) < std::string_view(b->name)
                                   : by.value(*a) > by.value(*b);
    });
    return all;
}

// --- text --------------------------------------------------------------------------------------

template <typename... Values>
std::string line(const char* form, Values... values)
{
    char text[256];
    std::snprintf(text, sizeof text, form, values...);
    return text;
}

std::size_t in_kib(std::size_t bytes)
{
    return bytes / kib;
}

double percent(std::size_t part, std::size_t whole)
{
    return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

double rate(std::uint64_t before, std::uint64_t after, double seconds)
{
    return seconds <= 0 ? 0 : (static_cast<double>(after) - static_cast<double>(before)) / seconds;
}

std::vector<std::string> head_lines(const target& of, const moment& last, const moment& before,
                                    const sort_key& by)
{
    const snapshot& heap = last.heap;
    const books sum = heap.balance();
    std::size_t live = 0, objects = 0, active = 0, slabs = 0, bytes = 0, live_bytes = 0;
    for (const cache_figures& c : heap.caches) {
        live += c.nr_live();
        objects += c.nr_objects;
        active += c.nr_active_slabs;
        slabs += c.nr_slabs;
        bytes += c.bytes();
        live_bytes += c.live_bytes();
    }
    const double seconds = before.time == 0 ? 0 : last.time - before.time;
    const std::size_t in_use = sum.live + sum.live_windows;
    const std::size_t kept = sum.slab_free + sum.free_pages + sum.cached_windows;
    return {
        line(" %s: %zu threads, sorted by %s", of.name().c_str(), heap.nr_threads, by.name),
        line(" Active / Total Objects (%% used)    : %zu / %zu (%.1f%%)", live, objects,
             percent(live, objects)),
        line(" Active / Total Slabs (%% used)      : %zu / %zu (%.1f%%)", active, slabs,
             percent(active, slabs)),
        line(" Active / Total Size (%% used)       : %zuK / %zuK (%.1f%%)", in_kib(live_bytes),
             in_kib(bytes), percent(live_bytes, bytes)),
        line(" KiB: %zu live, %zu cached, %zu free, %zu returned, %zu mapped", in_kib(in_use),
             in_kib(sum.cached), in_kib(kept), in_kib(sum.returned), in_kib(sum.mapped)),
        line(" Per second: %.0f faults, %.0f KiB returned, %.0f windows made, %.0f reused",
             rate(before.faults, last.faults, seconds),
             rate(before.heap.returned_bytes, heap.returned_bytes, seconds) / kib,
             rate(before.heap.vmalloc.made, heap.vmalloc.made, seconds),
             rate(before.heap.vmalloc.reused, heap.vmalloc.reused, seconds)),
        "",
        "    LIVE  CACHED    FREE  USE    SIZE SLABS     KiB WASTE-K  LIVE/s NAME",
    };
}

std::string cache_line(const cache_figures& c, const cache_figures& before, double seconds)
{
    return line("%8zu%8zu%8zu%4zu%%%8zu%6zu%8zu%8zu%8.0f %s", c.nr_live(), c.nr_cached, c.nr_free,
                use_of(c), c.size, c.nr_slabs, in_kib(c.bytes()), in_kib(waste_of(c)),
                rate(before.nr_live(), c.nr_live(), seconds), c.name);
}

/// The whole screen; at most `rows` lines, 0 for all.
std::vector<std::string> screen(const target& of, const moment& last, const moment& before,
                                const sort_key& by, std::size_t rows)
{
    std::vector<std::string> lines = head_lines(of, last, before, by);
    const double seconds = before.time == 0 ? 0 : last.time - before.time;
    for (const cache_figures* c : sorted(last.heap, by)) {
        if (rows != 0 && lines.size() >= rows)
            break;
        lines.push_back(cache_line(*c, before.heap.caches[c - last.heap.caches], seconds));
    }
    return lines;
}

// --- the terminal ------------------------------------------------------------------------------

volatile std::sig_atomic_t ended_by = 0;

/// Characters as they are typed, a screen of our own, no cursor; all of it undone at the end.
class terminal
{
public:
    terminal()
    {
        if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0)
            throw failure("top needs a terminal; --once prints one screen without");
        tcgetattr(STDIN_FILENO, &before_);
        termios raw = before_;
        raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
        struct sigaction action
        {};
        action.sa_handler = [](int signal) { ended_by = signal; };
        for (const int signal : {SIGINT, SIGTERM, SIGHUP})
            sigaction(signal, &action, nullptr);
        action.sa_handler = [](int) {}; // only to end the waiting
        sigaction(SIGWINCH, &action, nullptr);
        put("\033[?1049h\033[?25l");
    }
    ~terminal()
    {
        put("\033[?25h\033[?1049l");
        tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    }
    terminal(const terminal&) = delete;
    terminal& operator=(const terminal&) = delete;

    void size(std::size_t& rows, std::size_t& columns) const
    {
        winsize now{};
        const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &now) == 0 && now.ws_row != 0;
        rows = known ? now.ws_row : 24;
        columns = known ? now.ws_col : 80;
    }

    void show(const std::vector<std::string>& lines, std::size_t columns) const
    {
        std::string text = "\033[H";
        for (std::size_t i = 0; i < lines.size(); ++i) {
            const bool is_title =
                i + 1 < lines.size() && lines[i].find("LIVE  CACHED") != std::string::npos;
            std::string cut = lines[i].substr(0, columns);
            if (is_title)
                cut = "\033[7m" + cut + std::string(columns - std::min(columns, cut.size()), ' ') +
                      "\033[0m";
            text += cut + "\033[K" + (i + 1 < lines.size() ? "\r\n" : "");
        }
        put(text + "\033[J");
    }

    /// The key that was pressed within the time; 0 for none.
    char key(double seconds) const
    {
        pollfd in{STDIN_FILENO, POLLIN, 0};
        char c = 0;
        if (poll(&in, 1, static_cast<int>(seconds * 1000)) > 0 && read(STDIN_FILENO, &c, 1) <= 0)
            ended_by = SIGHUP; // nobody is there any more
        return c;
    }

private:
    static void put(const std::string& text)
    {
        for (std::size_t done = 0; done < text.size();) {
            const ssize_t n = write(STDOUT_FILENO, text.data() + done, text.size() - done);
            if (n < 0 && errno != EINTR)
                return;
            done += n > 0 ? static_cast<std::size_t>(n) : 0;
        }
    }

    termios before_{};
};

void take(target& of, moment& to)
{
    to.heap = of.look();
    to.time = now();
    to.faults = faults_of(of.pid());
}

void watch_until_quit(target& of, const sort_key* by, double delay)
{
    const terminal screen_of_ours;
    auto last = std::make_unique<moment>();
    auto before = std::make_unique<moment>();
    take(of, *last);
    while (ended_by == 0) {
        std::size_t rows = 0;
        std::size_t columns = 0;
        screen_of_ours.size(rows, columns);
        screen_of_ours.show(screen(of, *last, *before, *by, rows), columns);
        const char key = screen_of_ours.key(delay);
        if (key == 'q' || key == 'Q')
            return;
        if (const sort_key* other = find_key(key)) {
            by = other; // the same figures, in another order
            continue;
        }
        std::swap(last, before);
        take(of, *last);
    }
}

} // namespace

int watch(const words& arguments)
{
    const options given(arguments, {"once", "o", "sort=", "s=", "delay=", "d="});
    const std::string usage = "top [--once] [--sort KEY] [--delay SECONDS] PID | PROGRAM";
    const auto of = target::process(given.operand(usage));
    const std::string key = given.value("sort", given.value("s", "c"));
    const sort_key* by = key.size() == 1 ? find_key(key[0]) : nullptr;
    if (by == nullptr)
        throw failure("there is no key '" + key + "' to sort by; there are a b c l v n o p s u w");
    if (!given.has("once") && !given.has("o")) {
        watch_until_quit(*of, by, given.has("d") ? given.number("d", 1) : given.number("delay", 1));
        return 0;
    }
    auto last = std::make_unique<moment>();
    take(*of, *last);
    for (const std::string& text : screen(*of, *last, moment{}, *by, 0))
        std::puts(text.c_str());
    return 0;
}

} // namespace bsl::tool
