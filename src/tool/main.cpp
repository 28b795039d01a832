/*
 * buddyslab: looks into processes that run on libbuddyslab, and runs programs on it.
 */
#include "tool/commands.hpp"
#include "tool/output.hpp"
#include "tool/target.hpp"

#include <buddyslab/version.h>

#include <cstdio>
#include <cstring>
#include <iostream>
#include <new>

namespace
{

constexpr const char usage[] = R"(usage: buddyslab COMMAND ...

Look into a process that runs on libbuddyslab (PID: its number, or its program's name):
  top PID                          the caches, live, in the manner of slabtop (--once: one screen)
  stat PID                         where the memory is (--json, --prometheus, --every N, --output FILE)
  map PID                          the heap as a picture (--output FILE.svg or FILE.html)
  why PID ADDRESS                  what an address is
  slabinfo, buddyinfo, pagetypeinfo, vmallocinfo, zoneinfo, meminfo PID
                                   the kernel's files in /proc, of this heap
  Instead of PID: --core FILE [--exe FILE], a core dump (but for top).

Run a program on libbuddyslab:
  run [OPTIONS] [--] PROGRAM ...   each option --NAME=VALUE is a parameter (docs/tuning.md)
  compare [-n RUNS] [--] PROGRAM ...
                                   the program under this and other allocators

It takes the right to trace the process, and nothing of its time or its cooperation.
)";

int dispatch(const std::string& command, const bsl::tool::words& arguments)
{
    using namespace bsl::tool;
    for (const char* report :
         {"slabinfo", "buddyinfo", "pagetypeinfo", "vmallocinfo", "zoneinfo", "meminfo"}) {
        if (command == report)
            return show_report(command, arguments);
    }
    if (command == "stat")
        return show_stat(arguments);
    if (command == "why")
        return explain(arguments);
    if (command == "map")
        return draw_map(arguments);
    if (command == "top")
        return watch(arguments);
    if (command == "run")
        return run_program(arguments);
    if (command == "compare")
        return compare_allocators(arguments);
    throw failure("there is no command " + command + " (see buddyslab --help)");
}

int run(const bsl::tool::words& all)
{
    if (all[0] == "--version") {
        std::printf("buddyslab %d.%d.%d\n", BSL_VERSION_MAJOR, BSL_VERSION_MINOR,
                    BSL_VERSION_PATCH);
        return 0;
    }
    try {
        if (all[0] == "--help" || all[0] == "-h" || all[0] == "help")
            throw bsl::tool::help_wanted{};
        return dispatch(all[0], {all.begin() + 1, all.end()});
    } catch (const bsl::tool::help_wanted&) {
        std::fputs(usage, stdout);
        return 0;
    }
}

} // namespace

int main(int argc, char** argv)
{
    const bsl::tool::words all(argv + 1, argv + argc);
    if (all.empty()) {
        std::fputs(usage, stderr);
        return 2;
    }
    try {
        const int status = run(all);
        bsl::tool::flush_output();
        return status;
    } catch (const bsl::tool::failure& e) {
        std::fflush(stdout);
        std::cerr << "buddyslab: " << e.what() << "\n";
        return 2;
    } catch (const std::bad_alloc&) {
        std::cerr << "buddyslab: out of memory\n";
        return 2;
    }
}
