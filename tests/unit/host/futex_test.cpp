#include "host/futex.hpp"

#include <catch2/catch.hpp>
#include <thread>

using namespace bsl;

TEST_CASE("a word that has changed already is not waited for")
{
    std::atomic<std::uint32_t> word{1};
    host::futex_wait(word, 0);
    CHECK(word == 1);
}

TEST_CASE("a sleeper wakes when it is told to")
{
    std::atomic<std::uint32_t> word{0};
    std::atomic<bool> awake{false};
    std::thread sleeper([&] {
        while (word.load() == 0)
            host::futex_wait(word, 0);
        awake = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK_FALSE(awake);
    word = 1;
    host::futex_wake(word, 1);
    sleeper.join();
    CHECK(awake);
}
