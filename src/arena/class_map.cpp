#include "arena/class_map.hpp"

#include "base/check.hpp"
#include "host/sysinfo.hpp"
#include "host/vm.hpp"

#include <cstring>

namespace bsl
{

constinit class_map page_classes;

namespace
{

/// The largest window whose map is a small part of what the process may map at all.
std::size_t window_size()
{
    const std::size_t limit = host::address_space_limit();
    std::size_t size = class_window_max;
    while (size > gib && (size >> page_shift) > limit / class_map_limit_part)
        size /= 2;
    return size;
}

} // namespace

bool class_map::place(std::uintptr_t first_arena, bool as_hinted)
{
    std::size_t size = window_size();
    void* map = nullptr;
    for (; size >= gib; size /= 2) {
        map = host::map_zeros(size >> page_shift);
        if (map != nullptr)
            break;
    }
    if (map == nullptr)
        return false;
    host::advise_huge(map, size >> page_shift, false);

    // Arenas follow each other upwards where the hint is kept; where the kernel chooses, it may go
    // either way.
    std::uintptr_t from = first_arena;
    if (!as_hinted)
        from = first_arena > size / 2 ? round_down(first_arena - size / 2, gib) : 0;
    bytes = static_cast<std::uint8_t*>(map);
    start = from;
    span = size;
    return true;
}

bool class_map::cover(const void* address, std::size_t size)
{
    const std::uintptr_t from = reinterpret_cast<std::uintptr_t>(address);
    const std::uintptr_t inside_from = from < start ? start : from;
    const std::uintptr_t inside_end = from + size > start + span ? start + span : from + size;
    if (inside_from >= inside_end)
        return true; // outside: the map has nothing to say of it
    const std::size_t unit = host::page_size();
    const std::size_t first = round_down((inside_from - start) >> page_shift, unit);
    const std::size_t end = round_up((inside_end - start) >> page_shift, unit);
    return host::commit(bytes + first, end - first);
}

void class_map::set(const void* address, std::size_t nr, unsigned size_class)
{
    VM_BUG_ON(size_class > UINT8_MAX);
    const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(address) - start;
    if (offset < span)
        std::memset(bytes + (offset >> page_shift), static_cast<int>(size_class), nr);
}

} // namespace bsl
