#include "tool/screen.hpp"

#include "tool/clock.hpp"
#include "tool/target.hpp"

#define NCURSES_NOMACROS
#include <curses.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

/// Of <term.h>, which makes macros of words such as "lines" and "columns".
extern "C" char* tigetstr(const char* capability);

namespace bsl::tool
{

namespace
{

std::string type_of_terminal()
{
    const char* type = std::getenv("TERM");
    return type == nullptr ? "" : type;
}

} // namespace

screen::screen()
{
    if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0)
        throw failure("top needs a terminal; --once prints one screen without");
    catch_interrupts(); // before ncurses, which leaves handlers alone that are there
    terminal_ = newterm(nullptr, stdout, stdin);
    if (terminal_ == nullptr || tigetstr("cup") == nullptr) {
        if (terminal_ != nullptr)
            endwin();
        throw failure("top cannot use a terminal of type '" + type_of_terminal() +
                      "' (TERM); --once prints one screen without");
    }
    cbreak();
    noecho();
    curs_set(0);
    nodelay(stdscr, true);
    keypad(stdscr, true); // an arrow is one key, not the letters that terminals send for it
}

screen::~screen()
{
    endwin();
    delscreen(static_cast<SCREEN*>(terminal_));
}

std::size_t screen::rows() const
{
    return static_cast<std::size_t>(std::max(1, getmaxy(stdscr)));
}

std::size_t screen::columns() const
{
    return static_cast<std::size_t>(std::max(1, getmaxx(stdscr)));
}

void screen::show(const std::vector<std::string>& lines, std::size_t title_row)
{
    werase(stdscr);
    for (std::size_t row = 0; row < std::min(lines.size(), rows()); ++row) {
        std::string text = lines[row].substr(0, columns());
        if (row == title_row) {
            text.resize(columns(), ' ');
            wattr_on(stdscr, WA_REVERSE, nullptr);
        }
        mvwaddnstr(stdscr, static_cast<int>(row), 0, text.c_str(), static_cast<int>(text.size()));
        wattr_off(stdscr, WA_REVERSE, nullptr);
    }
    // There a cursor that cannot be hidden rests, and who looks on sees that all is drawn.
    wmove(stdscr, 0, 0);
    wrefresh(stdscr);
}

int screen::key(double seconds)
{
    bool any = false;
    int key = wgetch(stdscr); // ncurses may have read on; a change of size is a key, too
    if (key == ERR) {
        any = wait_for_input(STDIN_FILENO, seconds);
        key = wgetch(stdscr);
    }
    if (interrupted() || (any && key == ERR))
        return ended;
    return key == ERR || key == KEY_RESIZE ? nothing : key;
}

} // namespace bsl::tool
