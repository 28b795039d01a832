#pragma once

/// The root: where a reader of this process's memory begins.
///
/// A reader may be another process (the command `buddyslab`, by process_vm_readv), a core dump, or
/// this process itself.  It knows the structures of the rooms below from their headers, and finds out
/// here where the ones of this process are and whether they are the same structures:
///
///     ELF header of the library, in memory -> PT_NOTE -> note "buddyslab" -> heap_root -> the rooms
///
/// The note is found in memory, not in a file: it does not matter how the library is called, whether
/// it is part of the program, or whether its file has been replaced meanwhile.
///
/// Reading costs the process nothing and asks nothing of it.  So readers take no lock, and everything
/// they see may change underneath: proc/snapshot.hpp says how they live with that.

#include "arena/arena.hpp"
#include "arena/mem_section.hpp"
#include "base/bitops.hpp"
#include "buddy/reclaim.hpp"
#include "buddy/zone_table.hpp"
#include "heap/calls.hpp"
#include "heap/private_heap.hpp"
#include "heap/thread_heap.hpp"
#include "slab/program_cache.hpp"
#include "vmalloc/vmalloc.hpp"

#include <buddyslab/version.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace bsl
{

/// To be raised when a structure that readers know changes its meaning but not its layout.
inline constexpr std::uint32_t root_version = 3;

inline constexpr char root_magic[16] = "buddyslab root";

/// Owner and type of the ELF note; its contents are the distance from themselves to the root.
inline constexpr char root_note_name[] = "buddyslab";
inline constexpr std::uint32_t root_note_type = 1;

/// The reader's way to what is private to structures of which it has a copy.
struct look
{
    static const sheaf_stack& full_sheaves(const barn& of) BSL_TSA(no_thread_safety_analysis)
    {
        return of.full_;
    }
    static const sheaf_stack& full_sheaves(const thread_heap& of, unsigned size_class)
    {
        return of.full_[size_class];
    }
    static const thread_bins& bins_of(const thread_heap& of) { return of.bins_; }
    static const pageset& pages_of(const thread_heap& of) { return of.pages_; }

    /// A copy of a name may lack its end.
    static std::string_view name(const kmem_cache& of)
    {
        return {of.name_, strnlen(of.name_, sizeof of.name_)};
    }
    static std::string_view name(const program_cache& of)
    {
        return {of.name_, strnlen(of.name_, sizeof of.name_)};
    }

    static const zone* home(const pageset& of) { return of.home_; }
    static unsigned nr_blocks(const pageset& of, unsigned order) { return of.orders_[order].count; }
    static unsigned batch(const pageset& of, unsigned order)
    {
        const unsigned shift = of.orders_[order].batch;
        return shift < 32 ? 1u << shift : 0;
    }
    static const char* block(const pageset& of, unsigned order, unsigned i)
    {
        return of.orders_[order].blocks[i];
    }
};

/// One number for the layout of all that readers read: the same structures, the same number.
constexpr std::uint64_t layout_number()
{
    const std::size_t parts[] = {
        sizeof(arena),
        sizeof(page),
        offsetof(page, state),
        sizeof(pageblock),
        offsetof(pageblock, free_map),
        offsetof(pageblock, dirty),
        sizeof(mem_section),
        sizeof(kmem_cache),
        sizeof(kmem_cache_node),
        sizeof(barn),
        sizeof(sheaf),
        offsetof(sheaf, slot),
        sizeof(program_cache),
        sizeof(thread_heap),
        sizeof(thread_bins),
        sizeof(bin_chunk),
        sizeof(pageset),
        sizeof(vm_area),
        offsetof(vm_area, state),
        sizeof(heap::private_heap),
        offsetof(heap::private_heap, handle),
        offsetof(heap::private_heap, name),
        sizeof(zone),
        sizeof(zone_counts),
        sizeof(vmalloc_counts),
        nr_caches,
        nr_classes,
        nr_own_caches,
        nr_shards_max,
        nr_program_caches_max,
        nr_zones_max,
        nr_zone_types,
        nr_sections,
        pageblocks_per_section,
        page_shift,
        max_page_order,
    };
    std::uint64_t number = 0xcbf29ce484222325; // FNV-1a
    for (const std::size_t part : parts)
        number = (number ^ part) * 0x100000001b3;
    return number;
}

struct heap_root_table
{
    // --- these stay where they are in all versions
    char magic[16];
    std::uint32_t version;
    std::uint32_t size; ///< of this table
    std::uint64_t layout;
    char library_version[16];

    // --- the rooms
    const arena_state* arenas;
    const std::atomic<std::size_t>* const* memblock_bytes;
    const std::atomic<mem_section*>* sections; ///< nr_sections of them
    const zone_array* const* zones;
    const reclaim_state* reclaim;
    const kmem_cache* caches;                          ///< nr_caches of them
    const std::atomic<program_cache*>* program_caches; ///< nr_program_caches_max of them
    const node_table* const* nodes;
    const sheaf* no_sheaf; ///< the dummy
    const vmalloc_counts* const* vmalloc;
    const heap::class_requests* requests; ///< nr_classes of them
};

extern const heap_root_table heap_root asm("bsl_heap_root");

} // namespace bsl
