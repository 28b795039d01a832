#include "unit/child.hpp"

#include "host/clock.hpp"
#include "host/sysinfo.hpp"
#include "host/thread.hpp"
#include "host/vm.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <thread>

using namespace bsl;

TEST_CASE("the machine is described")
{
    CHECK(host::nr_cpus() >= 1);
    CHECK(host::nr_cpus() <= static_cast<unsigned>(sysconf(_SC_NPROCESSORS_CONF)));
    CHECK(host::page_size() == static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
    CHECK_FALSE(host::is_secure_execution());
    CHECK(host::process_id() == getpid());
    CHECK(host::current_cpu() < static_cast<unsigned>(sysconf(_SC_NPROCESSORS_CONF)));
}

TEST_CASE("the limit of addresses is seen")
{
    const child_result result = in_child([] {
        rlimit limit{};
        getrlimit(RLIMIT_AS, &limit);
        limit.rlim_cur = std::size_t{1} << 45;
        if (setrlimit(RLIMIT_AS, &limit) != 0)
            _exit(2);
        _exit(host::address_space_limit() != std::size_t{1} << 45);
    });
    CHECK(result.succeeded());
}

TEST_CASE("limits of addresses and of data are seen")
{
    CHECK_FALSE(host::is_memory_limited());
    for (const auto which : {RLIMIT_AS, RLIMIT_DATA}) {
        const child_result result = in_child([which] {
            rlimit limit{};
            getrlimit(which, &limit);
            limit.rlim_cur = std::size_t{1} << 45;
            if (setrlimit(which, &limit) != 0)
                _exit(2);
            _exit(!host::is_memory_limited());
        });
        CHECK(result.succeeded());
    }
}

TEST_CASE("the clock goes forward in milliseconds")
{
    const std::uint64_t before = host::coarse_milliseconds();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const std::uint64_t passed = host::coarse_milliseconds() - before;
    CHECK(passed >= 30);
    CHECK(passed < 30000);
}

TEST_CASE("live threads have pointers and numbers of their own")
{
    std::uintptr_t other = 0;
    int number = 0;
    std::thread thread([&] {
        other = host::thread_pointer();
        number = host::thread_id();
    });
    thread.join();
    CHECK(other != host::thread_pointer());
    CHECK(host::thread_pointer() == host::thread_pointer());
    CHECK(number != host::thread_id());
    CHECK(host::thread_id() == static_cast<int>(syscall(SYS_gettid)));
}
