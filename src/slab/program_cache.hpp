#pragma once

/// Object caches that the program makes: the machinery of malloc's classes, and what a class has no
/// need of: a name of the program's, an alignment, a constructor, a limit.
///
///     program_caches[slot]      slots 0 … 511, made when first used, never given back
///       unused --- claim() --> live --- retire() --> unused
///
/// The number of a cache, which struct page has, is nr_caches + slot: that leads from an object to its
/// cache.  A slot keeps its nodes for the next cache that uses it; they are empty by then.
///
/// Constructed objects.  Where a cache has a constructor, each object of a slab is constructed when
/// the slab is made (add_slab), with no lock held, since a constructor may allocate.  From then on
/// nobody but the program writes to it, and its pages stay resident as long as the slab lives: such
/// caches have no holes.
///
/// Aliases.  A request that an open cache suits is served by that cache, under its first name; the other
/// names are kept for reports, as many as there is room for, until the cache is closed for good.
///
/// Limit.  A slab is charged to the cache's limit before its pages are taken.
///
/// Locks: caches_lock guards the slots' states and the users of each cache.  Who retires a cache holds it from the look
/// at the users until the slot is unused: a cache that is being emptied serves no further request.  Who empties the barns
/// of a cache holds it too: a cache does not end, and none is made in its slot, while slabs of it are on their way out.

#include "slab/kmem_cache.hpp"

namespace bsl
{

/// Caches at once.  A thread's bins of them come in chunks that are made as they are used.
inline constexpr unsigned nr_program_caches_max = 512;

/// How objects are constructed, if they are: by one of two functions.
struct object_constructor
{
    void (*plain)(void* object) = nullptr;
    void (*with_data)(void* object, void* user_data) = nullptr;
};

struct program_cache_options
{
    std::string_view name;
    std::size_t size = 0;
    std::size_t align = 0; ///< a power of two up to a page; 0: none
    object_constructor constructor;
    void* user_data = nullptr;
    std::size_t limit = SIZE_MAX; ///< bytes of slabs
    bool may_merge = true;
};

class program_cache : public kmem_cache
{
public:
    program_cache(unsigned slot, const program_cache_options& options);

    unsigned slot() const { return slot_; }
    std::string_view name() const { return {name_}; }
    /// Other names, each followed by a zero byte, and one more zero byte.
    const char* aliases() const { return aliases_; }
    std::size_t align() const { return align_; }
    std::size_t object_size() const { return object_size_; } ///< as asked for
    void* user_data() const { return user_data_; }

    bool has_constructor() const
    {
        return constructor_.plain != nullptr || constructor_.with_data != nullptr;
    }
    void construct(void* object) const;

    /// Makes a slab, all of whose objects are constructed and free.  False when the zone must grow
    /// first, or the limit is reached.  No lock may be held.
    bool add_slab() const;

    /// Takes pages for a slab out of the limit; false when it is reached.
    bool charge(std::size_t pages) const;
    void uncharge(std::size_t pages) const;
    /// Is there no room for another slab, be it the smallest?
    bool is_at_limit() const;

    /// Objects that are neither in a slab's bitmap nor in a barn.  The caller knows what threads have.
    std::size_t nr_out() const;

    /// Calls fn(argument, object) for each object that is out; for error reports, as it visits the
    /// pages of all arenas.
    void for_each_out(void (*fn)(void* argument, void* object), void* argument) const;

    /// Could a request like this be served by this cache?
    bool suits(const program_cache_options& options) const;

    /// Remembers under which name it is also known.  caches_lock is held.
    void add_alias(std::string_view name);

    static constexpr std::size_t name_size = 64;
    static constexpr std::size_t aliases_size = 128;

    mutable std::atomic<kmem_cache_node*> nodes[nr_shards_max] = {};
    unsigned users = 0; ///< handles that are open; 0: the slot is unused.  Lock: caches_lock

private:
    friend struct look; // heap/root.hpp

    char name_[name_size];
    char aliases_[aliases_size] = {};
    std::size_t object_size_;
    std::size_t align_;
    object_constructor constructor_;
    void* user_data_;
    std::size_t limit_;
    mutable std::atomic<std::size_t> charged_{0};
    unsigned slot_;
    bool may_merge_;
};

extern constinit mutex caches_lock;
extern constinit std::atomic<program_cache*> program_caches[nr_program_caches_max];

/// The cache of a number in struct page.
inline const kmem_cache& cache_numbered(unsigned number)
{
    if (number < nr_caches) [[likely]]
        return all_caches[number];
    return *program_caches[number - nr_caches].load(std::memory_order_acquire);
}

/// The cache whose pages have this byte in the class map; not 0.
inline const kmem_cache& cache_of_map_class(unsigned map_class)
{
    return cache_numbered(is_malloc_class(map_class) ? map_class
                                                     : nr_caches + map_class - nr_slab_classes);
}

inline bool is_program_cache(const kmem_cache& cache)
{
    return cache.number() >= nr_caches;
}

inline const program_cache& to_program_cache(const kmem_cache& cache)
{
    return static_cast<const program_cache&>(cache);
}

/// The whole name of any cache.
inline std::string_view name_of(const kmem_cache& cache)
{
    return is_program_cache(cache) ? to_program_cache(cache).name() : cache.name();
}

/// A live cache for these options: a new one, or one that suits them.
struct claimed_cache
{
    program_cache* cache; ///< nullptr: there is no slot, or no memory
    bool has_slot;
};
claimed_cache claim_cache(const program_cache_options& options);

/// Calls fn(program_cache&) for every slot that was ever used.
template <typename Fn>
void for_each_program_cache(Fn fn)
{
    for (auto& slot : program_caches) {
        if (program_cache* cache = slot.load(std::memory_order_acquire))
            fn(*cache);
    }
}

} // namespace bsl
