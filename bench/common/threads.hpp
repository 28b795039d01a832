/// Threads for the patterns: a crew that works and is joined, and a channel between threads.
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <mutex>

namespace bench
{

/// Starts a thread or ends the program.  The object behind `argument` must outlive the thread.
inline pthread_t start_thread(void* (*body)(void*), void* argument,
                              const pthread_attr_t* attributes = nullptr)
{
    pthread_t thread{};
    if (pthread_create(&thread, attributes, body, argument) != 0) {
        std::fprintf(stderr, "bench: no thread to be had\n");
        std::_Exit(1);
    }
    return thread;
}

/// Calls work(index) in `count` threads at once and waits for all of them.
template <class Work>
void run_threads(int count, Work work)
{
    struct seat
    {
        Work* work;
        int index;
        pthread_t thread;
    };
    static constexpr int max_threads = 4096;
    static seat seats[max_threads];
    if (count > max_threads)
        std::_Exit(1);

    for (int i = 0; i < count; ++i) {
        seats[i] = {&work, i, {}};
        seats[i].thread = start_thread(
            [](void* argument) -> void* {
                const seat& mine = *static_cast<seat*>(argument);
                (*mine.work)(mine.index);
                return nullptr;
            },
            &seats[i]);
    }
    for (int i = 0; i < count; ++i)
        pthread_join(seats[i].thread, nullptr);
}

/// A bounded queue between threads.  It holds its items in itself and never allocates.
template <class T, std::size_t Capacity>
class channel
{
public:
    void send(const T& item)
    {
        std::unique_lock hold(mutex_);
        not_full_.wait(hold, [&] { return count_ < Capacity; });
        ring_[(first_ + count_++) % Capacity] = item;
        not_empty_.notify_one();
    }

    /// Takes the oldest item.  False when the channel is closed and empty.
    bool receive(T& item)
    {
        std::unique_lock hold(mutex_);
        not_empty_.wait(hold, [&] { return count_ > 0 || closed_; });
        if (count_ == 0)
            return false;
        item = ring_[first_];
        first_ = (first_ + 1) % Capacity;
        --count_;
        not_full_.notify_one();
        return true;
    }

    void close()
    {
        const std::unique_lock hold(mutex_);
        closed_ = true;
        not_empty_.notify_all();
    }

private:
    std::mutex mutex_;
    std::condition_variable not_full_;
    std::condition_variable not_empty_;
    T ring_[Capacity] = {};
    std::size_t first_ = 0;
    std::size_t count_ = 0;
    bool closed_ = false;
};

} // namespace bench
