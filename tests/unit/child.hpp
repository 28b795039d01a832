#pragma once

/// Runs a piece of a test in a forked child: for what ends the process, or prints to standard error.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

struct child_result
{
    std::string text; ///< all that the child wrote to standard error
    int status;       ///< as waitpid() has it

    bool aborted() const { return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT; }
    bool succeeded() const { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }
};

/// The child ends with success when fn() returns, without running what a process does at its end.
template <typename Fn>
child_result in_child(Fn fn)
{
    int ends[2];
    if (pipe(ends) != 0)
        std::abort();
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        dup2(ends[1], STDERR_FILENO);
        close(ends[1]);
        std::signal(SIGABRT, SIG_DFL); // Catch2 would report it
        fn();
        _exit(0);
    }
    close(ends[1]);
    child_result result{{}, -1};
    char part[4096];
    for (ssize_t n; (n = read(ends[0], part, sizeof part)) > 0;)
        result.text.append(part, static_cast<std::size_t>(n));
    close(ends[0]);
    waitpid(child, &result.status, 0);
    return result;
}
