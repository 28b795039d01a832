#pragma once

/// The walk through a heap that snapshot.hpp promises: one pass, its places and what it has found so far.
///
///     snapshot.cpp      the whole: counters, arenas, what cannot be true at once
///     walk_caches.cpp   which caches there are, and what is in the sheaves of threads and barns
///     walk_pages.cpp    pageblocks, their struct pages, slabs, and our own objects in these

#include "proc/snapshot.hpp"

namespace bsl
{

inline std::size_t smaller(std::size_t a, std::size_t b)
{
    return a < b ? a : b;
}

/// Behind every address that the allocator can have.
inline constexpr std::size_t addresses_end = nr_sections * pageblocks_per_section * pageblock_size;

class walker
{
public:
    walker(const memory_source& from, const heap_root_table& root, workspace& space, snapshot& to,
           const visitor& seen)
        : from_(from), root_(root), space_(space), to_(to), seen_(seen)
    {}

    bool walk();

private:
    template <typename T>
    bool read(const void* at, T& to)
    {
        return from_.read_object(address_of(at), to);
    }
    /// A whole array, whose name stands for the address of the first.
    template <typename T>
    bool read_array(const void* at, T& to)
    {
        return from_.read(from_.context, address_of(at), static_cast<void*>(&to), sizeof to);
    }

    // --- snapshot.cpp
    bool read_counters();
    bool read_zones();
    bool collect_arenas();
    void add_arena(const arena& one);
    bool walk_arena(const arena& of);
    void add_up_zones();
    void settle();

    // --- walk_pages.cpp
    bool walk_block();
    void mark_free_blocks(const pageblock& block);
    bool read_pages(const pageblock& block);
    unsigned rest_of_run(const pageblock& block) const;
    void walk_pages(const pageblock& block);
    unsigned walk_slab(unsigned first);
    unsigned walk_run(unsigned first);
    void note(unsigned first, unsigned pages, page_role use, unsigned cache, unsigned fill);
    void walk_own_objects(unsigned first, unsigned cache, unsigned objects);
    void walk_window(std::uintptr_t at);

    // --- walk_caches.cpp
    bool read_caches();
    bool read_program_caches();
    void read_program_cache(unsigned slot);
    bool is_taken(const char* name, unsigned number) const;
    void walk_thread(std::uintptr_t at);
    void walk_thread_classes(const thread_heap& heap, std::uintptr_t at);
    const bin* bin_of_slot(const thread_bins& bins, unsigned slot);
    void walk_thread_programs(const thread_heap& heap, std::uintptr_t at);
    std::size_t walk_thread_pages(const thread_heap& heap, std::uintptr_t at);
    bool walk_barns();
    bool walk_barn(std::uintptr_t node, unsigned cache, unsigned shard);
    template <typename Fn>
    unsigned walk_bin(const bin& of, Fn each);
    template <typename Fn>
    unsigned walk_stack(const sheaf_stack& stack, Fn each);
    template <typename Fn>
    unsigned walk_sheaf(std::uintptr_t at, const void* top, Fn each);
    void show_listed(std::uintptr_t block, unsigned order, std::uintptr_t thread);

    const memory_source& from_;
    const heap_root_table& root_;
    workspace& space_;
    snapshot& to_;
    const visitor& seen_;
    zone_figures* zone_ = nullptr; ///< of the pageblock that we are in
    std::uintptr_t run_end_ = 0;   ///< of the last run, which may go on in the next pageblock
    std::size_t mapped_ = 0;       ///< by the process's own count
    bool is_torn_ = false;         ///< something changed while we read it, or makes no sense
};

} // namespace bsl
