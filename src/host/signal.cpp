#include "host/signal.hpp"

#include <cerrno>
#include <csignal>

namespace bsl::host
{

namespace
{

using signal_work = void (*)();
constinit signal_work installed = nullptr;

void run_handler(int)
{
    const int saved = errno;
    installed();
    errno = saved;
}

} // namespace

bool install_signal_handler(int signal, void (*handler)())
{
    const int saved = errno;
    struct sigaction action
    {};
    bool done = sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_DFL;
    if (done) {
        installed = handler;
        action = {};
        action.sa_handler = run_handler;
        action.sa_flags = SA_RESTART | SA_ONSTACK;
        done = sigaction(signal, &action, nullptr) == 0;
    }
    errno = saved;
    return done;
}

} // namespace bsl::host
