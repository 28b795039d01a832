#pragma once

/// Object caches: slabs of equal objects.
///
/// A slab is one block of the buddy system, cut into objects.  Which objects are free stands in a
/// bitmap in the struct pages of its pages, outside of the slab: a free object holds no link, cannot
/// be a way into the allocator, and its page can be given back to the system.
///
///     slab of order 1, objects of 80 bytes:
///
///     | colour | object 0 | object 1 |  …  | object 101 | rest |
///     page 0                    page 1
///       free_objects: bits 0 … 255   bits 256 … 511, of which 102 are in use
///
/// A slab is full (no free object; in no list), partial (in a list of its node), or empty (kept by
/// its node up to empty_slab_bytes_max, otherwise freed).  A cache has one node per shard; a slab's
/// home node never changes.  Partial slabs are listed by how full they were when they last served or
/// had their first free object, and the fullest serves first.
///
/// Objects leave a slab many at a time, of one slab and in address order, and come back many at a
/// time: that is refill() and flush(), the two halves of every sheaf's life.  Pages of a slab are
/// touched one by one as refills reach them.
///
/// Objects above slab_size_max have a slab each, of as many pages as the request needs: such a cache's objects
/// differ in size, and size() is the largest.  So have those that realloc made larger than grow_by_pages_from or left
/// as large: they belong to the smallest such cache, and may have fewer pages than its size says.  (Rounded up to their class they would leave pages in every block
/// that nobody ever touches, and what reuses the block would have to fault them in.)
///
/// Locks: a node's lock guards its lists and the bitmaps of its slabs.  Pages are taken from and given
/// to the pageset or zone with the node's lock released.

#include "arena/mem_section.hpp"
#include "arena/page.hpp"
#include "base/counter.hpp"
#include "base/cpu.hpp"
#include "buddy/pageset.hpp"
#include "buddy/zonelist.hpp"
#include "slab/barn.hpp"
#include "slab/size_class.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace bsl
{

/// Partial slabs by free objects: quarter 0 is the fullest.
inline constexpr unsigned nr_fullness_lists = 4;

/// One shard of a cache.
struct alignas(cache_line_size) kmem_cache_node
{
    mutex lock{lock_rank::node};
    list_head partial[nr_fullness_lists];
    list_head empty;
    // Written under the lock, read by reports without.
    counter<std::size_t> nr_slabs = 0;
    counter<std::size_t> nr_empty = 0;
    counter<std::size_t> nr_objects = 0;    ///< room in all slabs
    counter<std::size_t> nr_free = 0;       ///< set bits in all slabs
    counter<std::size_t> nr_pages_held = 0; ///< pages of all slabs
    std::uint8_t next_colour = 0;           ///< in units of the objects' alignment

    barn sheaves;
};

/// What serving from a slab did to its pages.
struct page_use
{
    bool zeros = false;        ///< no page of the slab was touched since the kernel gave it
    char* opened = nullptr;    ///< first of the clean pages that are in use from now on
    std::size_t nr_opened = 0; ///< some of them ahead of need: to be populated in one call
};

/// Faults in, in one call, what was opened ahead.  By the one who took an object of the slab, before
/// giving it away: until then the pages are there.  Enters the kernel: no lock may be held.
void populate(const page_use& use);

/// A slab of one object: of how many pages, and where they are to lie.
struct single_request
{
    std::size_t pages;
    run_fit fit;
};

struct object_position;
struct hole_batch;
struct slab_hole;

/// Objects that follow each other in an array and lie in one page; the next run says where it ends.
struct object_run
{
    page* of; ///< the page's, later its slab's; nullptr behind the last run
    unsigned begin;
    unsigned
        shard; ///< of the slab: not to be asked of it when its objects may have been given back
};

class kmem_cache
{
public:
    constexpr kmem_cache(unsigned number, unsigned size_class, std::string_view name,
                         std::size_t size);

    std::size_t size() const { return size_; }
    unsigned size_class() const { return size_class_; } ///< 0: not one of malloc's
    std::string_view name() const { return {name_}; }   ///< see name_of() (program_cache.hpp)
    unsigned number() const { return number_; }         ///< in struct page (program_cache.hpp)
    unsigned map_class() const { return map_class_; }   ///< of its pages and bins (size_class.hpp)

    /// Objects in a sheaf of this cache.
    unsigned sheaf_capacity() const { return sheaf_capacity_; }
    /// Do objects have a slab each?
    constexpr bool is_single() const { return size_ > slab_size_max; }
    /// Pages of the largest such object.
    std::size_t single_pages_max() const { return size_ >> page_shift; }

    /// Takes at most `want` free objects, all of one slab, ascending by address; returns how many.  0: the
    /// zone must grow first.  Who takes more than one may find pages opened ahead in `use`.
    unsigned refill(pageset* pages, unsigned shard, void** objects, unsigned want,
                    page_use& use) const;

    /// The same for one object that has a slab of its own; nullptr when the zone must grow first.  `zeros`:
    /// as in page_use.  Its pages come when the program touches them: it may never.
    void* refill_single(unsigned shard, single_request wanted, bool& zeros) const;

    /// Gives objects back.  Aborts with a message on one that is no object of this cache in use.
    void flush(pageset* pages, void* const* objects, unsigned n) const;

    /// One object at a time, without sheaves.  alloc_one() is nullptr when the zone must grow first.
    void* alloc_one() const;
    void free_one(void* object) const { flush(nullptr, &object, 1); }

    /// As alloc_one(), but takes no lock that somebody holds, does not enter the kernel, and touches no
    /// page that holds no memory: nullptr where that does not do.  In signal handlers, too.
    void* alloc_one_atomic() const;

    /// Makes an object that has a slab of its own one of cache `to`, of the same kind, and of so many pages,
    /// where it is: takes the pages behind it, or gives its last pages back.  False when they are not free.
    bool resize_single(page& head, const kmem_cache& to, std::size_t pages) const;

    /// Forgets a slab of one object, whose pages the caller takes over.
    void disown_single(page& head) const;

    /// Gives the memory of free pages inside partly used slabs back to the system, batch by batch; the slabs keep
    /// their addresses.  What is in the batch at the end is for the caller to give back.  No lock may be held.
    void discard_holes(hole_batch& batch) const;
    static void give_back(hole_batch& batch);

    /// Gives empty slabs back to the zone.
    void shrink() const;

    /// Gives the objects in all barns back to their slabs; `idle_only`: in those that nobody took from since the last
    /// such call.
    void drain_sheaves(bool idle_only) const;

    /// Both: all that barns hold to the slabs, and empty slabs to the zone.
    void drain() const
    {
        drain_sheaves(false);
        shrink();
    }

    /// nullptr where this shard has not been used.
    kmem_cache_node* node(unsigned shard) const;

    /// A slab's number of objects.
    unsigned objects_in(unsigned order) const { return objects_in_[order]; }

    void validate() const;

protected:
    /// Pages of a slab, at least.
    std::size_t slab_pages_min() const
    {
        return is_single() ? single_pages_max() : nr_pages(order_min_);
    }
    kmem_cache_node* make_node(unsigned shard) const;
    unsigned choose_order(const pageset* pages, unsigned shard, unsigned nr_slabs) const;
    page* make_slab(pageset* pages, unsigned shard, unsigned nr_slabs) const;
    page* make_single(unsigned shard, single_request wanted) const;
    void choose_colour(kmem_cache_node& home, page& slab) const
        BSL_TSA(requires_capability(home.lock));
    void count_slab(kmem_cache_node& home, const page& slab) const
        BSL_TSA(requires_capability(home.lock));
    void list_by_fullness(kmem_cache_node& home, page& head) const
        BSL_TSA(requires_capability(home.lock));

private:
    friend struct look; // heap/root.hpp
    friend struct object_position locate(const void*, const page&);

    void* take_atomic(kmem_cache_node& from) const BSL_TSA(requires_capability(from.lock));
    std::atomic<kmem_cache_node*>& node_slot(unsigned shard) const;
    bool is_of_nodes() const;
    void* alloc_node() const;
    void discard_holes(kmem_cache_node& of, hole_batch& batch) const;
    bool take_holes(list_head& slabs, std::size_t& to_visit, hole_batch& batch,
                    kmem_cache_node& of) const BSL_TSA(requires_capability(of.lock));
    void put_hole(const slab_hole& hole, kmem_cache_node& of, list_head& emptied) const
        BSL_TSA(requires_capability(of.lock));
    page* take_partial(kmem_cache_node& from) const BSL_TSA(requires_capability(from.lock));
    unsigned take_from_node(kmem_cache_node& from, void** objects, unsigned want,
                            page_use& use) const;
    unsigned refill_elsewhere(unsigned shard, void** objects, unsigned want, page_use& use) const;
    unsigned take_from_new_slab(kmem_cache_node& home, page& slab, void** objects, unsigned want,
                                page_use& use) const;
    void free_slab(pageset* pages, page& head) const;
    unsigned take_objects(page& head, void** objects, unsigned want, std::size_t ahead,
                          page_use& use) const;
    void put_objects(unsigned shard, void* const* objects, const object_run* runs,
                     list_head& emptied) const;
    std::uint32_t find(void* const* objects, unsigned n, object_run* runs) const;
    [[noreturn, gnu::cold]] void report_stray(const void* object) const;
    void forget_slab(kmem_cache_node& home, const page& head) const
        BSL_TSA(requires_capability(home.lock));
    unsigned take_resident(page& head, void** objects, unsigned want) const;
    unsigned index_of(const page& head, const void* object) const;
    void mark_free(page& head, void* const* objects, unsigned n) const;
    void list_put(kmem_cache_node& home, page& head, bool was_listed, list_head& emptied) const
        BSL_TSA(requires_capability(home.lock));
    void put_run(kmem_cache_node& home, page& head, void* const* objects, unsigned n,
                 list_head& emptied) const BSL_TSA(requires_capability(home.lock));
    void free_all(pageset* pages, list_head& slabs) const;
    std::size_t slab_pages(const page& head) const;

    char name_[16]; ///< terminated
    std::uint32_t size_;
    std::uint32_t reciprocal_; ///< ceil(2^32 / size): index = offset * reciprocal >> 32
    std::uint16_t number_;     ///< in all_caches
    std::uint8_t size_class_;
    std::uint8_t map_class_;
    std::uint8_t order_min_;
    std::uint8_t order_max_;
    std::uint8_t sheaf_capacity_;
    std::uint16_t objects_in_[slab_order_max + 1]; ///< of a slab of each order
};

/// What is at an address inside a slab.
struct object_position
{
    page* head; ///< struct page of the slab's first page
    const kmem_cache* cache;
    char* object;       ///< start of the object at the address
    std::size_t offset; ///< of the address in the object
    unsigned index;     ///< of the object in the slab
    bool is_object;     ///< false: the colour or the rest; object, offset, index mean nothing
};

/// Position of an address, given its struct page, which is a slab's.
object_position locate(const void* address, const page& of_address);

/// The same of an object that is known.
object_position position_of(page& head, unsigned index);

/// Is the object free in its slab, or parked?  Objects in sheaves are not.  Takes the node's lock,
/// but for an object that has a slab of its own.
bool is_free(const object_position& at);
/// The same of such an object, by its struct page.
bool is_free(page& single);

/// Words of free_objects that say something else where the slab has one object, and needs one bit.
inline constexpr unsigned parked_word = 1;
inline constexpr unsigned single_pages_word = 2;

/// Pages of an object that has a slab of its own.  Changed by who has the object, read by reports at any time.
inline std::size_t single_pages(const page& head)
{
    auto& word =
        const_cast<std::uint64_t&>(head.free_objects[single_pages_word]); // atomic_ref wants it so
    return std::atomic_ref<std::uint64_t>(word).load(std::memory_order_relaxed);
}
inline void set_single_pages(page& head, std::size_t pages)
{
    std::atomic_ref<std::uint64_t>(head.free_objects[single_pages_word])
        .store(pages, std::memory_order_relaxed);
}

/// Objects that have a slab each are marked while a thread keeps them, so that a double free is seen
/// at once.  park() is false when the object is parked already or was never handed out.
bool park(page& head);
void unpark(page& head);

/// The struct page of an object that has a slab of its own and starts at this address of this pageblock, or of
/// whichever it is in; nullptr if there is none.
page* single_object_at(const pageblock* block, const void* address);
inline page* single_object_at(const void* address)
{
    return single_object_at(owner_of(address).block, address);
}

/// Shards in use: one per processor, at most nr_shards_max; with several memory nodes a multiple of their
/// number.
unsigned nr_shards();
/// The shard that serves this thread now.
unsigned current_shard();
/// Takes note of the memory nodes; while the process has one thread.
void set_up_shards();

/// Shards belong to nodes: shard s takes the pages of its slabs from node s % nr_nodes().
inline unsigned node_of_shard(unsigned shard)
{
    return nr_nodes() == 1 ? 0 : shard % nr_nodes();
}

/// The allocator's own objects.
enum class own_cache : unsigned
{
    sheaf,
    thread_heap,
    vm_area,
    node,
    nr
};
inline constexpr unsigned nr_own_caches = static_cast<unsigned>(own_cache::nr);
inline constexpr unsigned nr_caches = nr_classes + nr_own_caches;

/// All caches by number: malloc's by size class ([0] serves nobody), then our own.
extern const std::array<kmem_cache, nr_caches> all_caches;

inline const kmem_cache& kmalloc_cache(unsigned size_class)
{
    return all_caches[size_class];
}

inline const kmem_cache& cache_for(own_cache which)
{
    return all_caches[nr_classes + static_cast<unsigned>(which)];
}

/// The nodes of all caches, by shard and number of the cache, for readers of this process's memory
/// (heap/root.hpp).
using node_table = std::atomic<kmem_cache_node*>[nr_shards_max][nr_caches];
extern const node_table* const node_table_at;

} // namespace bsl
