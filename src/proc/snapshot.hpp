#pragma once

/// A snapshot: where the heap's memory is, read from outside and without any lock.
///
/// The walker goes through the memory of a process, page by page, from the root (heap/root.hpp):
///
///     arenas > pageblocks > struct pages > slabs > our own objects among them: threads, windows
///
/// It follows no list of the process that another thread may be changing but the short stacks of
/// sheaves, whose length is bounded.  Threads and windows are found as what they are, objects of our
/// own caches, in their slabs.  So it ends after a time that the size of the heap bounds, and what it
/// finds at an address has the type that it expects there.
///
/// Every page of every arena is put into exactly one place, so that the books balance:
///
///     mapped = live + cached + slab_free + free_pages + live_windows + cached_windows
///            + reserve + metadata + returned + moving                                   (struct books)
///
/// While threads work, pages and objects move during the reading.  A pageblock is read at once, so that
/// hardly any is seen twice or not at all; what an object that moved between a sheaf and its slab makes
/// look like more cached than there are is cut off, after a few attempts.  No figure is below zero.
///
/// How memory is read is the caller's: see memory_source.

#include "heap/root.hpp"
#include "slab/heap_slab.hpp"

namespace bsl
{

/// The memory of a process, or of its core dump.
struct memory_source
{
    void* context;
    /// Copies `size` bytes at the process's address `from`.  False if any cannot be read.
    bool (*read)(void* context, std::uintptr_t from, void* to, std::size_t size);

    template <typename T>
    bool read_object(std::uintptr_t from, T& to) const
    {
        return read(context, from, static_cast<void*>(&to), sizeof to);
    }
};

inline std::uintptr_t address_of(const void* p)
{
    return reinterpret_cast<std::uintptr_t>(p);
}

/// Pages of what begins at a page, as nr_pages_from(); 0 if the copy is torn.
inline std::size_t nr_pages_from_copy(const page& head)
{
    return head.order <= max_page_order ? nr_pages_from(head) : 0;
}

/// Room for a copy of a structure that cannot be made or assigned.
template <typename T>
struct copy_of
{
    alignas(T) char bytes[sizeof(T)];

    const T& operator*() const { return *reinterpret_cast<const T*>(bytes); }
    const T* operator->() const { return reinterpret_cast<const T*>(bytes); }
};

/// What a page is for.
enum class page_role : std::uint8_t
{
    untouched,     ///< of a pageblock that was never in use, or is no longer mapped
    free_clean,    ///< in the zone, no memory
    free_resident, ///< in the zone
    slab,          ///< of the program's objects
    own_slab,      ///< of the allocator's objects
    single,        ///< of an object that has a slab of its own
    run,           ///< handed out as pages
    reserve,       ///< kept for callers that can bear nothing
    elsewhere,     ///< in a thread's page list, lent to a window, or on its way
};

struct page_note
{
    page_role use;
    bool is_resident;
    std::uint8_t fill;   ///< slab, own_slab: objects that are not free in it, of 255
    std::uint16_t cache; ///< slab, own_slab, single: its number
};

/// malloc's classes, our own, and those of the program, by their numbers.
inline constexpr std::size_t nr_all_caches = nr_caches + nr_program_caches_max;

/// Objects of one cache.
struct cache_figures
{
    /// Printable ASCII without spaces, and no other cache's, whatever the program has named it.
    char name[program_cache::name_size + 8];
    std::size_t size;
    bool is_own;
    bool is_single;
    std::size_t nr_slabs;        ///< size is 0: there is no such cache
    std::size_t nr_active_slabs; ///< that are not wholly free
    std::size_t nr_full_slabs;   ///< that have no free object
    std::size_t nr_pages;
    std::size_t nr_resident;   ///< of the pages
    std::size_t nr_objects;    ///< room in all slabs
    std::size_t nr_free;       ///< in slabs
    std::size_t nr_cached;     ///< in sheaves of threads and barns, or kept by threads one by one
    std::size_t nr_kept_pages; ///< is_single: of the objects that threads keep

    std::size_t nr_requests;     ///< since the start, if they are counted
    std::size_t requested_bytes; ///< by them
    std::size_t given_bytes;     ///< to them, after rounding

    std::size_t nr_live() const { return nr_objects - nr_free - nr_cached; }
    std::size_t cached_bytes() const
    {
        return is_single ? nr_kept_pages << page_shift : nr_cached * size;
    }
    /// Of objects that the program or somebody's cache has.
    std::size_t taken_bytes() const { return is_single ? bytes() : (nr_objects - nr_free) * size; }
    std::size_t live_bytes() const { return taken_bytes() - cached_bytes(); }
    std::size_t bytes() const { return nr_pages << page_shift; }
};

/// Pages of a slab whose first struct page is a copy; 0: the copy is torn.
inline std::size_t pages_of_slab(const page& head, const cache_figures& of)
{
    if (!of.is_single)
        return nr_pages(head.order);
    const std::size_t pages = head.free_objects[single_pages_word];
    return pages <= of.size >> page_shift ? pages : 0;
}

/// Room in a slab of so many pages.
inline unsigned objects_of_slab(std::size_t pages, const cache_figures& of)
{
    return of.is_single ? 1 : static_cast<unsigned>((pages << page_shift) / of.size);
}

/// All that is mapped, in bytes, by what it is for.  The sum of the parts is mapped().
struct books
{
    std::size_t live;         ///< objects and pages that the program has, as it got them
    std::size_t cached;       ///< objects in sheaves
    std::size_t slab_free;    ///< resident memory in slabs that is neither: free objects, the rest
    std::size_t free_pages;   ///< resident
    std::size_t reserve;      ///< pages kept for callers that can bear nothing (GFP_ATOMIC)
    std::size_t live_windows; ///< windows that the program has
    std::size_t cached_windows; ///< freed ones
    std::size_t metadata;       ///< tables, and the allocator's own objects
    std::size_t returned;       ///< addresses without memory: given back, or not used yet
    std::size_t moving;         ///< pages that were on their way from one to another
    std::size_t mapped;         ///< what they must add up to, from the arenas' sizes

    std::size_t sum() const
    {
        return live + cached + slab_free + free_pages + reserve + live_windows + cached_windows +
               metadata + returned + moving;
    }
};

/// Pages of the arenas of one zone.
struct zone_figures
{
    bool exists;
    std::size_t nr_blocks; ///< pageblocks of arenas
    std::size_t nr_online;
    std::size_t nr_given_back; ///< that are no longer mapped
    std::size_t nr_untouched;  ///< that were never in use
    std::size_t nr_blocks_of_type[nr_migrate_types];
    std::size_t free_blocks[nr_migrate_types][nr_page_orders][nr_residencies];
    std::size_t nr_free_clean;    ///< pages in the zone
    std::size_t nr_free_resident; ///< pages in the zone
    std::size_t nr_run_pages;
    std::size_t nr_reserve_pages;
    std::size_t nr_elsewhere;
    std::uintptr_t first_address;
    zone_counts counts; ///< the process's own

    std::size_t nr_free_blocks(migrate_type type, unsigned order) const;
    /// Of all types; pageblocks that were never in use are free as wholes.
    std::size_t nr_free_blocks(unsigned order) const;
    std::size_t nr_free_pages() const { return nr_free_clean + nr_free_resident; }
    std::size_t mapped() const { return (nr_blocks - nr_given_back) * pageblock_size; }
    /// Addresses without memory that are no slab's.
    std::size_t clean_bytes() const
    {
        return (nr_free_clean << page_shift) + nr_untouched * pageblock_size;
    }
};

struct snapshot
{
    cache_figures caches[nr_all_caches];
    /// Of program caches by slot: other names, each followed by a zero, and one more zero.
    char aliases[nr_program_caches_max][program_cache::aliases_size];

    std::size_t nr_arenas;
    zone_figures zones[nr_zones_max]; ///< by their numbers (zone_table.hpp)
    zone_figures all;                 ///< as if they were one
    std::size_t nr_holes;             ///< pages of slabs that hold no memory

    // --- threads
    std::size_t nr_threads;
    std::size_t nr_listed_pages; ///< free ones that they keep

    // --- windows
    std::size_t nr_live_windows;
    std::size_t nr_cached_windows;
    std::size_t live_window_bytes;
    std::size_t cached_window_bytes;
    std::size_t reserved_bytes; ///< addresses of windows
    std::size_t lent_bytes;     ///< whose frames are from arenas

    // --- counters of the process
    vmalloc_counts vmalloc;
    std::size_t returned_bytes;
    std::size_t returned_calls;
    std::size_t table_bytes;

    /// False: threads kept on working while we looked, and something had to be cut off.
    bool is_exact;

    books balance() const;

    /// Calls fn(std::string_view) for the other names of a cache.
    template <typename Fn>
    void for_each_alias(const cache_figures& of, Fn fn) const
    {
        const auto number = static_cast<std::size_t>(&of - caches);
        if (number < nr_caches)
            return;
        const char* at = aliases[number - nr_caches];
        for (std::string_view name(at); !name.empty(); name = at) {
            fn(name);
            at += name.size() + 1;
        }
    }
};

/// Calls fn(number, const zone_figures&) for the zones that there are, in the order of the kernel's
/// files: by node, and in a node from the lowest addresses on.
template <typename Fn>
void for_each_zone_of(const snapshot& heap, Fn fn)
{
    for (unsigned node = 0; node < nr_nodes_max; ++node) {
        for (const zone_type type : zone_types_ascending) {
            const std::uint8_t number = zone_number(node, type);
            if (heap.zones[number].exists)
                fn(number, heap.zones[number]);
        }
    }
}

/// What the walker shows while it walks; each function may be nullptr.  Addresses are the process's.
struct visitor
{
    void* context;
    /// A pageblock of an arena; `notes` and `pages` have 1024 elements.  `pages` are zeros where only
    /// free pages are.
    void (*block)(void*, const pageblock& copy, const page_note* notes, const page* pages);
    void (*window)(void*, std::uintptr_t at, const vm_area& copy);
    /// A thread, and the free pages that it keeps.
    void (*thread)(void*, std::uintptr_t at, const thread_heap& copy, std::size_t nr_listed);
    /// A free block of 2^order pages that a thread keeps, by the address of its memory.
    void (*listed)(void*, std::uintptr_t block, unsigned order, std::uintptr_t thread);
    /// An object in a sheaf of a thread (its heap's address) or of a barn (shard).
    void (*cached)(void*, std::uintptr_t object, unsigned cache, std::uintptr_t thread,
                   unsigned shard);
};

/// Arenas that a walk looks at, at most: enough for a terabyte.
inline constexpr std::size_t arenas_max = 2048;

/// Memory that the walker works in: too much for a stack.
struct workspace
{
    page pages[pages_per_pageblock];
    page_note notes[pages_per_pageblock];
    copy_of<pageblock> block;
    copy_of<thread_heap> thread;
    copy_of<vm_area> window;
    copy_of<kmem_cache_node> node;
    copy_of<zone> one_zone;
    copy_of<sheaf> full;
    copy_of<bin> one_bin;
    copy_of<program_cache> program;
    std::uintptr_t programs[nr_program_caches_max];
    std::uintptr_t zones[nr_zones_max];
    std::uintptr_t nodes[nr_shards_max][nr_caches];
    copy_of<kmem_cache> caches[nr_caches];
    copy_of<heap::class_requests> requests[nr_classes];
    arena arenas[arenas_max];
    snapshot again; ///< of reports that walk once more
};

/// Walks once.  False if something could not be read that should be there.
bool walk(const memory_source& from, const heap_root_table& root, workspace& space, snapshot& to,
          const visitor& seen);

/// Walks until nothing has to be cut off, a few times at most; `seen` may be shown a window or a
/// thread more than once.
bool take_snapshot(const memory_source& from, const heap_root_table& root, workspace& space,
                   snapshot& to);

} // namespace bsl
