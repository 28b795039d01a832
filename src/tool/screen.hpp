#pragma once

/// The terminal as a screen of lines: all of it ours as long as this lives, and as it was before after.
/// By ncurses, which knows terminals, sends only what has changed, and gets a stopped program back on its
/// feet.

#include <string>
#include <vector>

namespace bsl::tool
{

class screen
{
public:
    /// Throws if there is no terminal, or none that can place its cursor.
    screen();
    ~screen();
    screen(const screen&) = delete;
    screen& operator=(const screen&) = delete;

    std::size_t rows() const;
    std::size_t columns() const;

    /// Shows these lines, as much as there is room for; one of them is a title.
    void show(const std::vector<std::string>& lines, std::size_t title_row);

    /// The key that was pressed within the time; `nothing` else, also when the size has changed.
    int key(double seconds);
    static constexpr int nothing = 0;
    static constexpr int ended = -1; ///< nobody is there any more, or a signal asks to end

private:
    void* terminal_; ///< ncurses' own; its header is full of macros
};

} // namespace bsl::tool
