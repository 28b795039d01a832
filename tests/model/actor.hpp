#pragma once

/// A thread that does one thing at a time for another, which waits.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace test
{

class actor
{
public:
    actor() : thread_([this] { work(); }) {}
    ~actor()
    {
        run(nullptr);
        thread_.join();
    }
    actor(const actor&) = delete;
    actor& operator=(const actor&) = delete;

    /// Returns when the thread has done it.  nullptr: the thread ends.
    void run(std::function<void()> what)
    {
        std::unique_lock lock(mutex_);
        what_ = std::move(what);
        wanted_ = true;
        changed_.notify_all();
        changed_.wait(lock, [this] { return !wanted_; });
    }

private:
    void work()
    {
        for (bool go_on = true; go_on;) {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return wanted_; });
            go_on = what_ != nullptr;
            if (go_on)
                what_();
            wanted_ = false;
            changed_.notify_all();
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::function<void()> what_;
    bool wanted_ = false;
    std::thread thread_;
};

} // namespace test
