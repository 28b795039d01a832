/*
 * The heap as one SVG: a square of 32 by 32 pages for each pageblock, in the order of their addresses;
 * windows as bars below.
 */
#include "tool/map.hpp"

#include <algorithm>
#include <cmath>

namespace bsl::tool
{

namespace
{

constexpr unsigned pages_a_row = 32;
constexpr unsigned page_pixels = 4;
constexpr unsigned block_pixels = pages_a_row * page_pixels;
constexpr unsigned gap = 10;
constexpr unsigned row_gap = 16; ///< room for an address
constexpr unsigned margin = 20;
constexpr unsigned width = 1000;
constexpr unsigned legend_height = 140;
constexpr unsigned bar_height = 16;
constexpr unsigned blocks_a_row = (width - 2 * margin + gap) / (block_pixels + gap);

void rectangle(std::ostream& to, double x, double y, double w, double h, const std::string& colour,
               const char* more = "")
{
    to << "<rect x='" << x << "' y='" << y << "' width='" << w << "' height='" << h << "' fill='"
       << colour << "'" << more << "/>\n";
}

void text(std::ostream& to, double x, double y, const std::string& what, unsigned size = 11)
{
    to << "<text x='" << x << "' y='" << y << "' font-size='" << size << "'>" << escaped(what)
       << "</text>\n";
}

/// How slabs are coloured.
void draw_scale(std::ostream& to)
{
    constexpr unsigned y = 116;
    unsigned x = margin;
    text(to, x, y + 10, "Slabs by size of object and how full they are:");
    x += 265;
    for (const std::size_t size : sizes_in_legend) {
        for (const unsigned fill : fills_in_legend) {
            rectangle(to, x, y, 12, 12, colour_of(look_of::slab, size, fill), " stroke='#999'");
            x += 12;
        }
        text(to, x + 4, y + 10, human(size));
        x += 66;
    }
}

void draw_legend(std::ostream& to, const target& of, const heap_image& image)
{
    const books sum = image.heap.balance();
    text(to, margin, 28, "The heap of " + of.name(), 18);
    text(to, margin, 48,
         human(sum.mapped) + " mapped: " + human(sum.live + sum.live_windows) + " in use, " +
             human(sum.cached + sum.slab_free + sum.free_pages + sum.cached_windows) +
             " kept for reuse, " + human(sum.metadata) + " metadata, " + human(sum.returned) +
             " without memory");
    text(to, margin, 64,
         "Fragmentation: " + std::to_string(image.fragmentation()) +
             " % of the free memory is in blocks below 2 MiB.  Huge pages: " +
             (image.knows_huge_pages ? human(image.huge_bytes) + " (framed in gold)"
                                     : std::string("not told by this kernel")));
    unsigned x = margin;
    for (unsigned i = 0; i < nr_looks; ++i) {
        const unsigned y = 78 + i / 5 * 18;
        x = i % 5 == 0 ? margin : x + 185;
        rectangle(to, x, y, 12, 12, colour_of(static_cast<look_of>(i)), " stroke='#999'");
        text(to, x + 17, y + 10, names_of_looks[i]);
    }
    draw_scale(to);
    text(to, margin, 148, "Each square is a pageblock: 4 MiB, 1024 pages.");
}

std::string colour_of(const snapshot& heap, const page_image& page)
{
    return tool::colour_of(page.look, heap.caches[page.cache].size, page.fill);
}

void draw_block(std::ostream& to, const snapshot& heap, const block_image& block, unsigned x,
                unsigned y)
{
    rectangle(to, x, y, block_pixels, block_pixels, colour_of(look_of::free_clean));
    for (unsigned row = 0; row < pages_a_row; ++row) {
        const page_image* pages = block.pages + row * pages_a_row;
        for (unsigned from = 0, end = 0; from < pages_a_row; from = end) {
            end = from + 1;
            while (end < pages_a_row && pages[end] == pages[from])
                ++end;
            if (pages[from].look == look_of::free_clean)
                continue;
            rectangle(to, x + from * page_pixels, y + row * page_pixels, (end - from) * page_pixels,
                      page_pixels, colour_of(heap, pages[from]));
        }
    }
    constexpr unsigned half = block_pixels / 2;
    for (unsigned i = 0; i < 2; ++i) {
        if (block.is_huge[i])
            rectangle(to, x, y + i * half, block_pixels, half, "none",
                      " stroke='#d4a000' stroke-width='2'");
    }
    char label[64];
    std::snprintf(label, sizeof label, "%#llx", static_cast<unsigned long long>(block.start));
    to << "<rect x='" << x << "' y='" << y << "' width='" << block_pixels << "' height='"
       << block_pixels << "' fill='none' stroke='#888'><title>" << label << ": " << block.nr_free
       << " free pages, zone " << name_of_zone(block.zone) << " of node "
       << node_of_zone(block.zone) << "</title></rect>\n";
    text(to, x, y + block_pixels + 9, label, 8);
}

void draw_window(std::ostream& to, const window_image& w, unsigned y, double scale)
{
    const double x = margin;
    rectangle(to, x, y, std::max(1.0, scale * static_cast<double>(w.size)), bar_height,
              w.is_live ? "#4f8f6a" : "#c9c7bd");
    rectangle(to, x, y, scale * static_cast<double>(w.lent), bar_height, "#e8d27a");
    char label[128];
    std::snprintf(label, sizeof label, "%#llx", static_cast<unsigned long long>(w.start));
    text(to, x + 4, y + 12,
         std::string(label) + ": " + human(w.size) + (w.is_live ? "" : ", kept for reuse") +
             (w.lent != 0 ? ", " + human(w.lent) + " of it lent by arenas" : ""));
}

} // namespace

void draw_svg(std::ostream& to, const target& of, const heap_image& image)
{
    const auto blocks = static_cast<unsigned>(image.blocks.size());
    const auto windows = static_cast<unsigned>(image.windows.size());
    const unsigned rows = (blocks + blocks_a_row - 1) / blocks_a_row;
    const unsigned top = legend_height + margin;
    const unsigned below = top + rows * (block_pixels + row_gap) + margin;
    const unsigned height = below + (windows == 0 ? 0 : 20 + windows * (bar_height + 4)) + margin;
    to << "<svg xmlns='http://www.w3.org/2000/svg' width='" << width << "' height='" << height
       << "' viewBox='0 0 " << width << " " << height
       << "' font-family='sans-serif' fill='#222'>\n";
    rectangle(to, 0, 0, width, height, "white");
    draw_legend(to, of, image);
    for (unsigned i = 0; i < blocks; ++i)
        draw_block(to, image.heap, image.blocks[i],
                   margin + i % blocks_a_row * (block_pixels + gap),
                   top + i / blocks_a_row * (block_pixels + row_gap));
    std::size_t largest = 1;
    for (const window_image& w : image.windows)
        largest = std::max(largest, w.size);
    if (windows != 0)
        text(to, margin, below, "Windows (blocks above 4 MiB)", 13);
    for (unsigned i = 0; i < windows; ++i)
        draw_window(to, image.windows[i], below + 12 + i * (bar_height + 4),
                    (width - 2.0 * margin) / static_cast<double>(largest));
    to << "</svg>\n";
}

} // namespace bsl::tool
