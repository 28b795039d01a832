#pragma once

/// Names of our mappings in /proc/PID/maps, where that is asked for (param.name_mappings).
///
/// The kernel merges only mappings of the same name: all of one kind have one.

#include "config/params.hpp"
#include "host/vm.hpp"

namespace bsl
{

inline void name_mapping(void* address, std::size_t size, const char* name)
{
    if (param.name_mappings != 0) [[unlikely]]
        host::name_mapping(address, size, name);
}

inline constexpr char name_of_arenas[] = "buddyslab arena";
inline constexpr char name_of_tables[] = "buddyslab tables";
inline constexpr char name_of_windows[] = "buddyslab window";

} // namespace bsl
