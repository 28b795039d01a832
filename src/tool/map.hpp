#pragma once

/// Pictures of the heap, from the same images.

#include "tool/heap_image.hpp"

#include <ostream>

namespace bsl::tool
{

/// One picture, of one image.
void draw_svg(std::ostream& to, const target& of, const heap_image& image);

/// A page that needs nothing else: the images one after the other, to zoom into and to point at.
void draw_page(std::ostream& to, const target& of, const std::vector<heap_image>& images);

/// Sizes of objects that a legend shows, and how full their slabs are.
inline constexpr std::size_t sizes_in_legend[] = {16, 64, 256, 1024, 4096, 32768};
inline constexpr unsigned fills_in_legend[] = {1, fill_steps / 2, fill_steps};

/// "12.5 MiB"
std::string human(std::size_t bytes);

/// With the characters replaced that mean something in XML.
std::string escaped(const std::string& text);

/// Colour of a page, as CSS has it; of slabs it says the size of objects and how full they are.
std::string colour_of(look_of look, std::size_t size = 256, unsigned fill = fill_steps);

} // namespace bsl::tool
