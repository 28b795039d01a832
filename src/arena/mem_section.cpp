#include "arena/mem_section.hpp"

#include "arena/memblock.hpp"

namespace bsl
{

constinit std::atomic<mem_section*> mem_sections[nr_sections];

namespace
{

using entry = std::atomic<std::uintptr_t>;

std::uintptr_t slot_number(const void* address)
{
    return reinterpret_cast<std::uintptr_t>(address) >> pageblock_shift;
}

/// The entry of a slot, its section being made if it is missing.  nullptr without memory.
entry* make_entry(std::uintptr_t slot)
{
    if (slot / pageblocks_per_section >= nr_sections)
        return nullptr;
    std::atomic<mem_section*>& link = mem_sections[slot / pageblocks_per_section];
    mem_section* section = link.load(std::memory_order_acquire);
    if (section == nullptr) {
        auto* fresh = static_cast<mem_section*>(memblock_alloc(sizeof(mem_section)));
        if (fresh == nullptr)
            return nullptr;
        // Two threads may come here at once; the loser's section is a loss of 2 KiB.
        if (link.compare_exchange_strong(section, fresh, std::memory_order_acq_rel))
            section = fresh;
    }
    return &section->owner[slot % pageblocks_per_section];
}

template <typename Value>
bool set_slots(const void* start, std::size_t nr, Value value)
{
    const std::uintptr_t first = slot_number(start);
    // First all tables, then all values: a failure leaves no half recorded owner.
    for (std::size_t i = 0; i < nr; ++i) {
        if (make_entry(first + i) == nullptr)
            return false;
    }
    for (std::size_t i = 0; i < nr; ++i)
        make_entry(first + i)->store(value(i), std::memory_order_release);
    return true;
}

template <typename Value>
void clear_slots(const void* start, std::size_t nr, Value value)
{
    const std::uintptr_t first = slot_number(start);
    for (std::size_t i = 0; i < nr; ++i) {
        std::uintptr_t expected = value(i);
        make_entry(first + i)->compare_exchange_strong(expected, 0, std::memory_order_acq_rel);
    }
}

auto value_of(pageblock* first)
{
    return [first](std::size_t i) { return reinterpret_cast<std::uintptr_t>(first + i); };
}

auto value_of(vm_area* window)
{
    const std::uintptr_t value = reinterpret_cast<std::uintptr_t>(window) | window_tag;
    return [value](std::size_t) { return value; };
}

} // namespace

bool set_owner(const void* start, std::size_t nr, pageblock* first)
{
    return set_slots(start, nr, value_of(first));
}

bool set_owner(const void* start, std::size_t nr, vm_area* window)
{
    return set_slots(start, nr, value_of(window));
}

void clear_owner(const void* start, std::size_t nr, pageblock* first)
{
    clear_slots(start, nr, value_of(first));
}

void clear_owner(const void* start, std::size_t nr, vm_area* window)
{
    clear_slots(start, nr, value_of(window));
}

} // namespace bsl
