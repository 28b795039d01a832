#include "unit/child.hpp"

#include "locking/lockdep.hpp"
#include "locking/mutex.hpp"

#include <catch2/catch.hpp>

using namespace bsl;

TEST_CASE("locks may be taken in ascending rank")
{
    mutex low(lock_rank::registry);
    mutex high(lock_rank::zone);
    CHECK(lockdep::holds_nothing());
    {
        mutex_guard first(low);
        CHECK_FALSE(lockdep::holds_nothing());
        mutex_guard second(high);
    }
    CHECK(lockdep::holds_nothing());
}

TEST_CASE("a descending rank is caught")
{
    const child_result result = in_child([] {
        mutex low(lock_rank::registry);
        mutex high(lock_rank::zone);
        mutex_guard first(high);
        mutex_guard second(low);
    });
    CHECK(result.aborted());
    CHECK(result.text == "buddyslab: internal error: lock rank " +
                             std::to_string(static_cast<int>(lock_rank::registry)) +
                             " taken while rank " +
                             std::to_string(static_cast<int>(lock_rank::zone)) + " is held\n");
}

TEST_CASE("two locks of one rank are caught")
{
    const child_result result = in_child([] {
        mutex one(lock_rank::node);
        mutex other(lock_rank::node);
        mutex_guard first(one);
        mutex_guard second(other);
    });
    CHECK(result.aborted());
}

TEST_CASE("a lock that is not held cannot be released")
{
    const child_result result = in_child([] {
        mutex never_taken(lock_rank::zone);
        never_taken.unlock();
    });
    CHECK(result.aborted());
}
