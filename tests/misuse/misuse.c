/* Runs the cases of one program of misuse.h, each in a new process: PROGRAM [CASE]. */
#include "misuse.h"
#include <fcntl.h>
#include <regex.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>

extern char** environ;

/* Where a case states what it expects; its standard error is another file. */
enum
{
    expectation_fd = 100,
    text_size = 8192
};

/* Neither here nor in what a case does next may anything but the case itself use the heap. */
void expect_bug(const char* entry, const void* p, const char* format, ...)
{
    char text[text_size];
    va_list arguments;
    va_start(arguments, format);
    int length = snprintf(text, sizeof text, "^buddyslab: BUG (%s)\\(%p\\): ", entry, p);
    vsnprintf(text + length, sizeof text - (size_t)length - 2, format, arguments);
    va_end(arguments);
    strcat(text, "\n$");
    CHECK(write(expectation_fd, text, strlen(text)) > 0, "%s", strerror(errno));
}

int checks_each_free(void)
{
    const char* parameters = getenv("BUDDYSLAB");
    return parameters && strstr(parameters, "slab_debug=F");
}

void let_late_checks_find_it(void)
{
    CHECK(!checks_each_free(), "went unnoticed, though each free is to be checked at once");
    malloc_trim(0);
    FAIL("went unnoticed, even by malloc_trim(0)");
}

const char* cache_of(void* p)
{
    static char name[40];
    size_t size = malloc_usable_size(p);
    for (size_t doubling = 64 * KiB; doubling < size; doubling *= 2) // eight classes each
        if (size <= 2 * doubling)
            size = (size + doubling / 8 - 1) / (doubling / 8) * (doubling / 8);
    const char* unit = size % MiB == 0 ? "M" : size % KiB == 0 ? "k" : "";
    size_t number = size % MiB == 0 ? size / MiB : size % KiB == 0 ? size / KiB : size;
    snprintf(name, sizeof name, "kmalloc-%zu%s", number, unit);
    return name;
}

static int file_in_memory(const char* name)
{
    int file = memfd_create(name, MFD_CLOEXEC);
    CHECK(file >= 0, "memfd_create: %s", strerror(errno));
    return file;
}

static void read_all(int file, char* text)
{
    ssize_t length = pread(file, text, text_size - 1, 0);
    CHECK(length >= 0, "pread: %s", strerror(errno));
    text[length] = '\0';
    close(file);
}

/* Runs this program again for one case.  Returns how the process ended. */
static int run_in_process(const char* name, char* expectation, char* output)
{
    int expected = file_in_memory("expected");
    int printed = file_in_memory("printed");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, expected, expectation_fd);
    posix_spawn_file_actions_adddup2(&actions, printed, 2);
    char* arguments[] = {(char*)"misuse", (char*)name, NULL};
    pid_t child;
    int error = posix_spawn(&child, "/proc/self/exe", &actions, NULL, arguments, environ);
    CHECK(error == 0, "posix_spawn: %s", strerror(error));
    posix_spawn_file_actions_destroy(&actions);
    int status;
    CHECK(waitpid(child, &status, 0) == child, "waitpid: %s", strerror(errno));
    read_all(expected, expectation);
    read_all(printed, output);
    return status;
}

static int matches(const char* expectation, const char* output)
{
    regex_t regex;
    CHECK(regcomp(&regex, expectation, REG_EXTENDED | REG_NOSUB) == 0, "'%s'", expectation);
    int result = regexec(&regex, output, 0, NULL, 0);
    regfree(&regex);
    return result == 0;
}

/* Returns whether the case went as it should, and tells why not. */
static int try_case(const char* name)
{
    static char expectation[text_size], output[text_size];
    int status = run_in_process(name, expectation, output);
    const char* wrong = NULL;
    if (!*expectation)
        wrong = "the case ended before it made its mistake";
    else if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
        wrong = "the process did not end by SIGABRT";
    else if (!matches(expectation, output))
        wrong = "another output was expected";
    printf("%s: %s\n", name, wrong ? wrong : "ok");
    if (wrong)
        printf("  status   %#x\n  expected %s\n  printed  %s\n", (unsigned)status, expectation,
               output);
    return !wrong;
}

static void run_case(const char* name)
{
    for (const struct misuse_case* c = misuse_cases; c->name; c++)
        if (strcmp(c->name, name) == 0) {
            c->run();
            FAIL("%s: the process lives on", name);
        }
    FAIL("there is no case %s", name);
}

int main(int argc, char** argv)
{
    require_library();
    if (argc > 1)
        run_case(argv[1]);
    int failed = 0;
    for (const struct misuse_case* c = misuse_cases; c->name; c++)
        failed += !try_case(c->name);
    return failed != 0;
}
