#include "tool/clock.hpp"

#include <ctime>

namespace bsl::tool
{

double now()
{
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

void wait(double seconds)
{
    const auto whole = static_cast<std::time_t>(seconds);
    const timespec time{whole, static_cast<long>((seconds - static_cast<double>(whole)) * 1e9)};
    nanosleep(&time, nullptr);
}

} // namespace bsl::tool
