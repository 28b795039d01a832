#include "slab/sheaf.hpp"

#include "base/check.hpp"

namespace bsl
{

constinit sheaf dummy_sheaf{};

namespace
{

sheaf* sheaf_of(object_slot* top)
{
    // top may be the boundary behind its sheaf; the slot below never is.
    return reinterpret_cast<sheaf*>(
        round_down(reinterpret_cast<std::uintptr_t>(top - 1), sheaf_size));
}

} // namespace

void reset(sheaf& s, unsigned capacity)
{
    VM_BUG_ON(capacity == 0 || capacity > sheaf_capacity_max);
    s.floor.store(nullptr, std::memory_order_relaxed);
    s.top = s.slot + (sheaf_capacity_max - capacity);
    s.top[-1].store(nullptr, std::memory_order_relaxed);
}

void attach(bin& to, sheaf& s)
{
    VM_BUG_ON(to.has_sheaf());
    to.top.store(s.top, std::memory_order_release);
}

sheaf* detach(bin& from)
{
    if (!from.has_sheaf())
        return nullptr;
    object_slot* top = from.top.load(std::memory_order_relaxed);
    sheaf* s = sheaf_of(top);
    s->top = top;
    from.top.store(dummy_top(), std::memory_order_relaxed);
    return s;
}

unsigned count(const sheaf& s)
{
    unsigned n = 0;
    for (const object_slot* at = s.top; at[-1].load(std::memory_order_relaxed) != nullptr; --at)
        ++n;
    return n;
}

void fill(sheaf& s, void* const* objects, unsigned n)
{
    object_slot* at = s.top;
    VM_BUG_ON(at + n > s.slot + sheaf_capacity_max);
    for (unsigned i = n; i != 0; --i)
        (at++)->store(objects[i - 1], std::memory_order_relaxed);
    s.top = at;
}

unsigned empty(sheaf& s, void** objects, unsigned capacity)
{
    unsigned n = 0;
    const object_slot* at = s.top;
    while (void* object = (--at)->load(std::memory_order_relaxed))
        objects[n++] = object;
    reset(s, capacity);
    return n;
}

bool theft::begin(bin& from)
{
    if (!from.has_sheaf())
        return false;
    object_slot* top = from.top.load(std::memory_order_acquire);
    for (unsigned below = 1; below <= 2; ++below) {
        if (top[-static_cast<int>(below)].load(std::memory_order_relaxed) == nullptr)
            return false;
    }
    from_ = &from;
    slot_ = top - 2;
    object_ = slot_->exchange(nullptr, std::memory_order_acq_rel);
    return object_ != nullptr;
}

unsigned theft::undo()
{
    void* unused = nullptr;
    slot_->compare_exchange_strong(unused, object_, std::memory_order_acq_rel);
    return 0;
}

unsigned theft::finish(void** objects)
{
    object_slot* top = from_->top.load(std::memory_order_acquire);
    if (top < slot_ + 2 || slot_->load(std::memory_order_acquire) != nullptr)
        return undo();
    unsigned n = 0;
    objects[n++] = object_;
    for (object_slot* at = slot_ - 1; void* object = at->load(std::memory_order_relaxed); --at)
        objects[n++] = object;
    return n;
}

} // namespace bsl
