/*
 * The caches of a process, live, in the manner of slabtop.
 *
 *     rows      few: the title goes first, then what slabtop has in its head
 *     columns   few: what a cache has and how much it is used; the name is cut off
 */
#include "tool/clock.hpp"
#include "tool/commands.hpp"
#include "tool/screen.hpp"
#include "tool/target.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>

namespace bsl::tool
{

namespace
{

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

/// In either case, as slabtop's.  Keys that are no characters, such as arrows, are none.
const sort_key* find_key(int key)
{
    if (key < 1 || key > 255)
        return nullptr;
    for (const sort_key& k : sort_keys) {
        if (k.key == std::tolower(key))
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

using lines = std::vector<std::string>;

/// What slabtop says first.
lines slabtop_lines(const snapshot& heap)
{
    std::size_t live = 0, objects = 0, active = 0, slabs = 0, bytes = 0, live_bytes = 0;
    for (const cache_figures& c : heap.caches) {
        live += c.nr_live();
        objects += c.nr_objects;
        active += c.nr_active_slabs;
        slabs += c.nr_slabs;
        bytes += c.bytes();
        live_bytes += c.live_bytes();
    }
    return {
        line(" Active / Total Objects (%% used)    : %zu / %zu (%.1f%%)", live, objects,
             percent(live, objects)),
        line(" Active / Total Slabs (%% used)      : %zu / %zu (%.1f%%)", active, slabs,
             percent(active, slabs)),
        line(" Active / Total Size (%% used)       : %zuK / %zuK (%.1f%%)", in_kib(live_bytes),
             in_kib(bytes), percent(live_bytes, bytes)),
    };
}

lines memory_lines(const moment& last, const moment& before)
{
    const snapshot& heap = last.heap;
    const books sum = heap.balance();
    const double seconds = before.time == 0 ? 0 : last.time - before.time;
    const std::size_t in_use = sum.live + sum.live_windows;
    const std::size_t kept = sum.slab_free + sum.free_pages + sum.reserve + sum.cached_windows;
    return {
        line(" KiB: %zu live, %zu cached, %zu free, %zu returned, %zu mapped", in_kib(in_use),
             in_kib(sum.cached), in_kib(kept), in_kib(sum.returned), in_kib(sum.mapped)),
        line(" Per second: %.0f faults, %.0f KiB returned, %.0f windows made, %.0f reused",
             rate(before.faults, last.faults, seconds),
             rate(before.heap.returned_bytes, heap.returned_bytes, seconds) / kib,
             rate(before.heap.vmalloc.made, heap.vmalloc.made, seconds),
             rate(before.heap.vmalloc.reused, heap.vmalloc.reused, seconds)),
    };
}

constexpr std::size_t narrow_columns = 72;
constexpr std::size_t all_lines_rows = 14; ///< below, slabtop's three lines are left out
constexpr std::size_t memory_lines_rows = 7;

std::string title(std::size_t columns)
{
    return columns < narrow_columns
               ? "    LIVE  USE     KiB NAME"
               : "    LIVE  CACHED    FREE  USE    SIZE SLABS     KiB WASTE-K  LIVE/s NAME";
}

/// In seven columns.
std::string rate_text(double of)
{
    const bool fits = of > -1e6 && of < 1e6;
    return line(fits ? "%.0f" : "%.0fK", std::round(fits ? of : of / 1000) + 0.0); // no "-0"
}

/// Numbers that are too wide move what follows: they never run into each other.
std::string cache_line(const cache_figures& c, const cache_figures& before, double seconds,
                       std::size_t columns)
{
    if (columns < narrow_columns)
        return line("%8zu %3zu%% %7zu ", c.nr_live(), use_of(c), in_kib(c.bytes()));
    return line("%8zu %7zu %7zu %3zu%% %7zu %5zu %7zu %7zu %7s ", c.nr_live(), c.nr_cached,
                c.nr_free, use_of(c), c.size, c.nr_slabs, in_kib(c.bytes()), in_kib(waste_of(c)),
                rate_text(rate(before.nr_live(), c.nr_live(), seconds)).c_str());
}

/// "request,answer": a cache that was merged serves under all these names.
std::string names_of(const snapshot& heap, const cache_figures& c)
{
    std::string all = c.name;
    heap.for_each_alias(c, [&all](std::string_view name) { (all += ",") += name; });
    return all;
}

struct picture
{
    lines text;
    std::size_t title_row;
};

/// The whole screen, as much of it as `rows` and `columns` show.
picture draw(const target& of, const moment& last, const moment& before, const sort_key& by,
             std::size_t rows, std::size_t columns)
{
    picture drawn{};
    lines& text = drawn.text;
    text.push_back(
        line(" %s: %zu threads, sorted by %s", of.name().c_str(), last.heap.nr_threads, by.name));
    const auto add = [&text](const lines& more) {
        text.insert(text.end(), more.begin(), more.end());
    };
    if (rows >= all_lines_rows)
        add(slabtop_lines(last.heap));
    if (rows >= memory_lines_rows)
        add(memory_lines(last, before));
    if (rows >= all_lines_rows)
        text.emplace_back();
    drawn.title_row = text.size();
    text.push_back(title(columns));
    const double seconds = before.time == 0 ? 0 : last.time - before.time;
    for (const cache_figures* c : sorted(last.heap, by)) {
        if (text.size() >= rows)
            break;
        const cache_figures& then = before.heap.caches[c - last.heap.caches];
        text.push_back(cache_line(*c, then, seconds, columns) + names_of(last.heap, *c));
    }
    return drawn;
}

void take(target& of, moment& to)
{
    to.heap = of.look();
    to.time = now();
    to.faults = faults_of(of.pid());
}

void watch_until_quit(target& of, const sort_key* by, double delay)
{
    screen shown;
    auto last = std::make_unique<moment>();
    auto before = std::make_unique<moment>();
    take(of, *last);
    double next = now() + delay;
    for (;;) {
        const picture drawn = draw(of, *last, *before, *by, shown.rows(), shown.columns());
        shown.show(drawn.text, drawn.title_row);
        const int key = shown.key(next - now());
        if (key == screen::ended || key == 'q' || key == 'Q')
            return;
        if (const sort_key* other = find_key(key))
            by = other; // the same figures, in another order
        if (key != ' ' && now() < next)
            continue;
        std::swap(last, before);
        take(of, *last);
        next = now() + delay;
    }
}

} // namespace

int watch(const words& arguments)
{
    const options given(arguments, {"once", "o", "sort=", "s=", "delay=", "d="});
    const std::string usage = "top [--once] [--sort KEY] [--delay SECONDS] PID";
    const std::string& who = given.operand(usage);
    const bool is_once = given.has("once") || given.has("o");
    const double delay = given.number(given.has("d") ? "d" : "delay", 1);
    const std::string key = given.value("sort", given.value("s", "c"));
    const sort_key* by = key.size() == 1 ? find_key(key[0]) : nullptr;
    if (by == nullptr)
        throw failure("there is no key '" + key + "' to sort by; there are a b c l v n o p s u w");
    const auto of = target::process(who);
    if (!is_once) {
        watch_until_quit(*of, by, delay);
        return 0;
    }
    auto last = std::make_unique<moment>();
    take(*of, *last);
    const auto before = std::make_unique<moment>();
    for (const std::string& text : draw(*of, *last, *before, *by, SIZE_MAX, SIZE_MAX).text)
        std::puts(text.c_str());
    return 0;
}

} // namespace bsl::tool
