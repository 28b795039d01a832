#include "tool/clock.hpp"

#include <algorithm>
#include <csignal>
#include <ctime>
#include <poll.h>

namespace bsl::tool
{

namespace
{

constexpr int interrupts[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

volatile std::sig_atomic_t is_interrupted = 0;

sigset_t set_of_interrupts()
{
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : interrupts)
        sigaddset(&set, signal);
    return set;
}

timespec time_of(double seconds)
{
    const double bounded = std::clamp(seconds, 0.0, 1e9);
    const auto whole = static_cast<std::time_t>(bounded);
    return {whole, static_cast<long>((bounded - static_cast<double>(whole)) * 1e9)};
}

/// A signal that came before is seen here, and one that comes later ends the call: in between they are
/// blocked.
int poll_unless_interrupted(pollfd* of, nfds_t nr, double seconds)
{
    const sigset_t set = set_of_interrupts();
    sigset_t usual;
    sigprocmask(SIG_BLOCK, &set, &usual);
    const timespec time = time_of(seconds);
    const int n = is_interrupted != 0 ? 0 : ppoll(of, nr, &time, &usual);
    sigprocmask(SIG_SETMASK, &usual, nullptr);
    return n;
}

} // namespace

double now()
{
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

void catch_interrupts()
{
    for (const int signal : interrupts) {
        struct sigaction action = {};
        sigaction(signal, nullptr, &action);
        if (action.sa_handler == SIG_IGN)
            continue;
        action = {};
        action.sa_handler = [](int) { is_interrupted = 1; };
        sigaction(signal, &action, nullptr);
    }
}

bool interrupted()
{
    return is_interrupted != 0;
}

void wait(double seconds)
{
    poll_unless_interrupted(nullptr, 0, seconds);
}

bool wait_for_input(int fd, double seconds)
{
    pollfd in{fd, POLLIN, 0};
    return poll_unless_interrupted(&in, 1, seconds) > 0;
}

} // namespace bsl::tool
