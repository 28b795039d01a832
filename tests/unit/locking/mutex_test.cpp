#include "host/thread.hpp"
#include "locking/mutex.hpp"

#include <catch2/catch.hpp>
#include <thread>
#include <vector>

using namespace bsl;

namespace
{

void wait_a_little()
{
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

/// Takes the lock in a thread of its own, and tells when it got it.
class contender
{
public:
    explicit contender(mutex& m)
        : thread_([this, &m] {
              m.lock();
              entered = true;
              m.unlock();
          })
    {}
    ~contender() { thread_.join(); }

    std::atomic<bool> entered{false};

private:
    std::thread thread_;
};

} // namespace

TEST_CASE("one thread is inside at a time")
{
    mutex m(lock_rank::zone);
    long counter = 0;
    constexpr int rounds = 100000;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < rounds; ++i) {
                mutex_guard guard(m);
                counter = counter + 1;
            }
        });
    }
    for (std::thread& t : threads)
        t.join();
    CHECK(counter == 4L * rounds);
}

TEST_CASE("a sleeper gets the lock when it is released")
{
    mutex m(lock_rank::zone);
    m.lock();
    contender other(m);
    wait_a_little();
    CHECK_FALSE(other.entered);
    m.unlock();
}

TEST_CASE("a frozen lock keeps everybody out until it is thawed")
{
    mutex m(lock_rank::zone);
    m.freeze();
    {
        contender one(m);
        contender two(m);
        wait_a_little();
        CHECK_FALSE(one.entered);
        CHECK_FALSE(two.entered);
        m.thaw();
    }
    m.lock(); // does not hang
    m.unlock();
}

TEST_CASE("the forking thread may use a frozen lock")
{
    mutex m(lock_rank::zone);
    m.freeze();
    mutex::set_fork_owner(host::thread_pointer());
    m.lock();
    m.unlock();
    {
        contender other(m);
        wait_a_little();
        m.lock(); // with a sleeper, too
        m.unlock();
        wait_a_little();
        CHECK_FALSE(other.entered);
        mutex::set_fork_owner(0);
        m.thaw();
    }
}

TEST_CASE("freezing waits for the holder")
{
    mutex m(lock_rank::zone);
    std::atomic<bool> inside{false};
    std::atomic<bool> left{false};
    std::thread holder([&] {
        m.lock();
        inside = true;
        wait_a_little();
        left = true;
        m.unlock();
    });
    while (!inside)
        std::this_thread::yield();
    m.freeze();
    CHECK(left);
    m.thaw();
    holder.join();
}

TEST_CASE("in the child of a fork a lock starts anew")
{
    mutex m(lock_rank::zone);
    m.freeze();
    m.reset_in_child();
    m.lock(); // does not hang
    m.unlock();
}
