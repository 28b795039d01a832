#include "locking/lockdep.hpp"

#include "base/format.hpp"

namespace bsl
{

namespace
{

constexpr unsigned nr_ranks = static_cast<unsigned>(lock_rank::nr_ranks);

/// How many locks of each rank this thread holds.  Unused, and not even there, below level 2.
struct held_locks
{
    unsigned count[nr_ranks];
};

held_locks& held()
{
    static constinit thread_local held_locks locks{};
    return locks;
}

[[noreturn]] void report_order(unsigned wanted, unsigned owned)
{
    format<160> line;
    line.text("internal error: lock rank ").decimal(wanted);
    line.text(" taken while rank ").decimal(owned).text(" is held");
    panic(line.c_str());
}

} // namespace

void lockdep::check_acquire(lock_rank rank)
{
    held_locks& mine = held();
    const auto wanted = static_cast<unsigned>(rank);
    for (unsigned r = nr_ranks; r-- > wanted;) {
        if (mine.count[r] != 0)
            report_order(wanted, r);
    }
    ++mine.count[wanted];
}

void lockdep::check_release(lock_rank rank)
{
    held_locks& mine = held();
    VM_BUG_ON(mine.count[static_cast<unsigned>(rank)] == 0);
    --mine.count[static_cast<unsigned>(rank)];
}

bool lockdep::holds_nothing()
{
    if constexpr (check_level >= 2) {
        for (unsigned count : held().count) {
            if (count != 0)
                return false;
        }
    }
    return true;
}

} // namespace bsl
