#pragma once

/// Snapshots of the test's own heap, read as another process would.

#include "heap/heap.hpp"
#include "host/memory.hpp"
#include "proc/snapshot.hpp"

#include <memory>

inline const bsl::memory_source own_memory{
    nullptr, [](void*, std::uintptr_t from, void* to, std::size_t size) {
        return bsl::host::read_own_memory(from, to, size);
    }};

inline bsl::workspace& own_workspace()
{
    static auto space = std::make_unique<bsl::workspace>();
    return *space;
}

inline std::unique_ptr<bsl::snapshot> look_at_own_heap()
{
    auto heap = std::make_unique<bsl::snapshot>();
    if (!bsl::take_snapshot(own_memory, bsl::heap_root, own_workspace(), *heap))
        return nullptr;
    return heap;
}
