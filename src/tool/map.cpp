#include "tool/map.hpp"

#include "tool/clock.hpp"
#include "tool/commands.hpp"
#include "tool/output.hpp"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <sstream>

namespace bsl::tool
{

namespace
{

/// A process that ends on the way leaves those that were taken, and so does an interruption.
std::vector<heap_image> take_images(target& of, std::size_t count, double every)
{
    std::vector<heap_image> images(1);
    const double start = now();
    take_image(of, images[0]);
    if (count > 1)
        catch_interrupts();
    while (images.size() < count) {
        wait(every);
        if (interrupted()) {
            std::cerr << "buddyslab: interrupted after " << images.size() << " snapshots\n";
            break;
        }
        heap_image next{};
        next.seconds = now() - start;
        try {
            take_image(of, next);
        } catch (const failure& e) {
            std::cerr << "buddyslab: " << e.what() << ", after " << images.size() << " snapshots\n";
            break;
        }
        images.push_back(std::move(next));
    }
    return images;
}

bool ends_with(const std::string& text, const std::string& end)
{
    return text.size() >= end.size() &&
           text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// A page, or else SVG?  By the options, or by the file's name.
bool is_page_wanted(const options& given, const std::string& file)
{
    given.refuse_together("svg", "html");
    const bool is_page = ends_with(file, ".html");
    const bool is_svg = ends_with(file, ".svg");
    if ((given.has("svg") && is_page) || (given.has("html") && is_svg))
        throw failure(std::string(is_page ? "--svg" : "--html") + " contradicts the name " + file);
    if (!file.empty() && !is_page && !is_svg && !given.has("svg") && !given.has("html"))
        throw failure("map writes SVG or HTML: a file's name ends so, or --svg or --html is given");
    return is_page || given.has("html");
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
    const std::string file = given.value("output");
    const bool is_page = is_page_wanted(given, file);
    const auto count = static_cast<std::size_t>(std::ceil(given.number("snapshots", 1, 10000)));
    given.refuse_without("every", "snapshots");
    const double every = given.number("every", 1);
    if (count != 1 && !is_page)
        throw failure(
            "several snapshots make an animation, which is HTML: --html, or --output FILE.html");
    const auto of = target_of(given, usage);

    const std::vector<heap_image> images = take_images(*of, count, every);
    std::ostringstream picture;
    if (is_page)
        draw_page(picture, *of, images);
    else
        draw_svg(picture, *of, images[0]);
    put_out(picture.str(), file);
    return 0;
}

} // namespace bsl::tool
