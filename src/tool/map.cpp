#include "tool/map.hpp"

#include "tool/commands.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>

namespace bsl::tool
{

namespace
{

void wait(double seconds)
{
    const auto whole = static_cast<std::time_t>(seconds);
    timespec left{whole, static_cast<long>((seconds - static_cast<double>(whole)) * 1e9)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

double now()
{
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

bool ends_with(const std::string& text, const std::string& end)
{
    return text.size() >= end.size() &&
           text.compare(text.size() - end.size(), end.size(), end) == 0;
}

} // namespace

std::string human(std::size_t bytes)
{
    static constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double n = static_cast<double>(bytes);
    unsigned unit = 0;
    for (; n >= 1024 && unit + 1 < std::size(units); ++unit)
        n /= 1024;
    char text[32];
    std::snprintf(text, sizeof text, unit == 0 || n >= 100 ? "%.0f %s" : "%.1f %s", n, units[unit]);
    return text;
}

std::string escaped(const std::string& text)
{
    std::string safe;
    for (const char c : text) {
        switch (c) {
        case '<':
            safe += "&lt;";
            break;
        case '>':
            safe += "&gt;";
            break;
        case '&':
            safe += "&amp;";
            break;
        case '"':
            safe += "&quot;";
            break;
        default:
            safe += c;
        }
    }
    return safe;
}

std::string colour_of(look_of look, std::size_t size, unsigned fill)
{
    switch (look) {
    case look_of::free_clean:
        return "#f4f4f0";
    case look_of::free_resident:
        return "#c9c7bd";
    case look_of::listed:
        return "#9b988c";
    case look_of::own:
        return "#444444";
    case look_of::single:
        return "#7a5fb0";
    case look_of::run:
        return "#b05f97";
    case look_of::reserve:
        return "#4b1d6e";
    case look_of::lent:
        return "#e6b8ec";
    case look_of::moving:
        return "#ff00c8";
    case look_of::slab:
        break;
    }
    // From red for the smallest objects to blue for the largest that share a slab; the fuller, the darker.
    constexpr double smallest = 4; // log2 of 16 bytes
    constexpr double largest = 15; // and of 32 KiB
    const double part = (std::log2(static_cast<double>(size)) - smallest) / (largest - smallest);
    const auto hue = static_cast<unsigned>(5 + 215 * std::clamp(part, 0.0, 1.0));
    const unsigned light = 88 - fill * 50u / fill_steps;
    return "hsl(" + std::to_string(hue) + ",62%," + std::to_string(light) + "%)";
}

int draw_map(const words& arguments)
{
    const options given(arguments,
                        {"output=", "svg", "html", "snapshots=", "every=", "core=", "exe="});
    const std::string usage = "map [--output FILE.svg|FILE.html] [--svg | --html] "
                              "[--snapshots N [--every SECONDS]] PID | --core FILE [--exe FILE]";
    if (given.has("core") != given.operands().empty())
        throw failure("usage: buddyslab " + usage);
    const std::string file = given.value("output");
    const bool is_page = given.has("html") || ends_with(file, ".html");
    const auto of = given.has("core") ? target::core(given.value("core"), given.value("exe"))
                                      : target::process(given.operand(usage));
    const auto count = static_cast<std::size_t>(given.number("snapshots", 1));
    if (count != 1 && !is_page)
        throw failure(
            "several snapshots make an animation, which is HTML: --html, or --output FILE.html");

    std::vector<heap_image> images(count);
    const double start = now();
    for (std::size_t i = 0; i < count; ++i) {
        if (i != 0)
            wait(given.number("every", 1));
        images[i].seconds = now() - start;
        take_image(*of, images[i]);
    }
    std::ofstream into;
    if (!file.empty()) {
        into.open(file, std::ios::trunc);
        if (!into)
            throw failure("cannot write " + file + ": " + std::strerror(errno));
    }
    std::ostream& to = file.empty() ? std::cout : into;
    if (is_page)
        draw_page(to, *of, images);
    else
        draw_svg(to, *of, images[0]);
    to.flush();
    if (!to)
        throw failure("cannot write " + (file.empty() ? "the picture" : file));
    return 0;
}

} // namespace bsl::tool
