#include "slab/barn.hpp"

namespace bsl
{

sheaf* barn::exchange_for_full(sheaf*& spare)
{
    mutex_guard guard(lock);
    sheaf* full = full_.pop();
    if (full == nullptr)
        return nullptr;
    nr_full_.store(full_.size(), std::memory_order_relaxed);
    was_used_ = true;
    if (spare != nullptr && empty_.size() < barn_empty_max) {
        empty_.push(*spare);
        spare = nullptr;
    }
    return full;
}

bool barn::put_full(sheaf& full, unsigned room, sheaf*& spare)
{
    mutex_guard guard(lock);
    if (full_.size() >= room)
        return false;
    full_.push(full);
    nr_full_.store(full_.size(), std::memory_order_relaxed);
    if (spare == nullptr)
        spare = empty_.pop();
    return true;
}

bool barn::is_idle()
{
    if (!has_full())
        return false;
    mutex_guard guard(lock);
    const bool was_used = was_used_;
    was_used_ = false;
    return !was_used;
}

sheaf* barn::take_any()
{
    mutex_guard guard(lock);
    sheaf* s = full_.pop();
    nr_full_.store(full_.size(), std::memory_order_relaxed);
    return s != nullptr ? s : empty_.pop();
}

std::size_t barn::nr_objects()
{
    mutex_guard guard(lock);
    std::size_t n = 0;
    for (const sheaf* s = full_.first(); s != nullptr; s = s->next)
        n += count(*s);
    return n;
}

} // namespace bsl
