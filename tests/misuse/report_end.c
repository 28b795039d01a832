/*
 * When the report is printed, and by whom: once, at the end, by the process that the library was
 * started in, whatever the program did to its descriptors.  Runs itself again as that program.
 */
#include "child.h"
#include <sys/mman.h>

static void end_normally(void) {}

static void fork_children_that_exit(void)
{
    for (int i = 0; i < 3; i++) {
        pid_t child = fork();
        if (child == 0)
            exit(0);
        expect_exit(child, 0, "the child");
    }
}

static void close_standard_error(void)
{
    close(2);
}

static void close_all_but_standard_error(void)
{
    closefrom(3);
}

static void end_at_once(void)
{
    _exit(0);
}

static const struct
{
    const char* name;
    void (*run)(void);
    int reports;
} cases[] = {
    {"end_normally", end_normally, 1},
    {"fork_children_that_exit", fork_children_that_exit, 1},
    {"close_standard_error", close_standard_error, 1},
    {"close_all_but_standard_error", close_all_but_standard_error, 1},
    {"end_at_once", end_at_once, 0},
};

enum
{
    nr_cases = sizeof cases / sizeof *cases
};

static int count_reports(const char* text)
{
    int reports = 0;
    for (; (text = strstr(text, "buddyslab: calls: ")); text++)
        reports++;
    return reports;
}

static void check_case(int which, const char* program)
{
    int file = memfd_create("report", MFD_CLOEXEC);
    CHECK(file >= 0, "memfd_create");
    pid_t child = fork();
    if (child == 0) {
        dup2(file, 2);
        setenv("BUDDYSLAB", "report=exit", 1);
        execl("/proc/self/exe", program, cases[which].name, NULL);
        _exit(127);
    }
    expect_exit(child, 0, cases[which].name);
    static char text[8192];
    memset(text, 0, sizeof text);
    CHECK(pread(file, text, sizeof text - 1, 0) >= 0, "pread");
    close(file);
    int reports = count_reports(text);
    CHECK(reports == cases[which].reports, "%s: %d reports: %s", cases[which].name, reports, text);
}

int main(int argc, char** argv)
{
    require_library();
    for (int i = 0; i < nr_cases; i++) {
        if (argc == 1)
            check_case(i, argv[0]);
        else if (strcmp(argv[1], cases[i].name) == 0)
            cases[i].run();
    }
    return 0;
}
