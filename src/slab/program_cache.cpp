#include "slab/program_cache.hpp"

#include "arena/arena.hpp"
#include "arena/mem_section.hpp"
#include "arena/memblock.hpp"
#include "slab/cache_table.hpp"
#include "slab/slab.hpp"

#include <new>

namespace bsl
{

constinit mutex caches_lock{lock_rank::caches};
constinit std::atomic<program_cache*> program_caches[nr_program_caches_max];

namespace
{

/// Objects of a slab of their own are whole pages; others multiples of 16 and of their alignment,
/// which then follows from that of the slab.
std::size_t slot_size(const program_cache_options& options)
{
    std::size_t unit = options.align < malloc_alignment ? malloc_alignment : options.align;
    const std::size_t size = round_up(options.size, unit);
    return size > slab_size_max ? round_up(size, bytes_per_page) : size;
}

bool is_unused(unsigned slot) BSL_TSA(requires_capability(caches_lock))
{
    const program_cache* there = program_caches[slot].load(std::memory_order_relaxed);
    return there == nullptr || there->users == 0;
}

} // namespace

program_cache::program_cache(unsigned slot, const program_cache_options& options)
    : kmem_cache(nr_caches + slot, 0, options.name, slot_size(options)), object_size_(options.size),
      align_(options.align), constructor_(options.constructor), user_data_(options.user_data),
      limit_(options.limit), slot_(slot), may_merge_(options.may_merge)
{
    const std::size_t room = sizeof name_ - 1;
    const std::size_t length = options.name.size() < room ? options.name.size() : room;
    for (std::size_t i = 0; i < length; ++i)
        name_[i] = options.name[i];
    name_[length] = '\0';
}

void program_cache::construct(void* object) const
{
    if (constructor_.with_data != nullptr)
        constructor_.with_data(object, user_data_);
    else
        constructor_.plain(object);
}

bool program_cache::suits(const program_cache_options& options) const
{
    return may_merge_ && options.may_merge && slot_size(options) == size() &&
           options.align <= natural_alignment(size());
}

void program_cache::add_alias(std::string_view name)
{
    if (name.empty() || name == this->name())
        return;
    char* at = aliases_;
    for (std::string_view there(at); !there.empty(); there = at) {
        if (there == name)
            return;
        at += there.size() + 1;
    }
    // The last byte stays the zero that ends the list.
    if (name.size() + 2 > sizeof aliases_ - static_cast<std::size_t>(at - aliases_))
        return;
    for (const char c : name)
        *at++ = c;
}

claimed_cache claim_cache(const program_cache_options& options)
{
    mutex_guard guard(caches_lock);
    unsigned unused = nr_program_caches_max;
    for (unsigned slot = nr_program_caches_max; slot-- != 0;) {
        if (is_unused(slot)) {
            unused = slot;
            continue;
        }
        program_cache& there = *program_caches[slot].load(std::memory_order_relaxed);
        if (there.suits(options)) {
            ++there.users;
            there.add_alias(options.name);
            return {&there, true};
        }
    }
    if (unused == nr_program_caches_max)
        return {nullptr, false};
    program_cache* old = program_caches[unused].load(std::memory_order_relaxed);
    void* at = old != nullptr ? old : memblock_alloc(sizeof(program_cache));
    if (at == nullptr)
        return {nullptr, true};
    kmem_cache_node* kept[nr_shards_max] = {};
    for (unsigned shard = 0; old != nullptr && shard < nr_shards_max; ++shard)
        kept[shard] = old->nodes[shard].load(std::memory_order_relaxed);
    auto* made = new (at) program_cache(unused, options);
    for (unsigned shard = 0; shard < nr_shards_max; ++shard)
        made->nodes[shard].store(kept[shard], std::memory_order_relaxed);
    made->users = 1;
    program_caches[unused].store(made, std::memory_order_release);
    return {made, true};
}

// --- limit -------------------------------------------------------------------------------------

bool program_cache::charge(std::size_t pages) const
{
    const std::size_t bytes = pages << page_shift;
    std::size_t charged = charged_.load(std::memory_order_relaxed);
    do {
        if (bytes > limit_ || charged > limit_ - bytes)
            return false;
    } while (!charged_.compare_exchange_weak(charged, charged + bytes, std::memory_order_relaxed));
    return true;
}

void program_cache::uncharge(std::size_t pages) const
{
    charged_.fetch_sub(pages << page_shift, std::memory_order_relaxed);
}

bool program_cache::is_at_limit() const
{
    const std::size_t least = slab_pages_min() << page_shift;
    return least > limit_ || charged_.load(std::memory_order_relaxed) > limit_ - least;
}

// --- slabs -------------------------------------------------------------------------------------

bool program_cache::add_slab() const
{
    const unsigned shard = current_shard();
    kmem_cache_node* home = make_node(shard);
    if (home == nullptr)
        return false;
    page* slab = make_slab(nullptr, shard, static_cast<unsigned>(home->nr_slabs));
    if (slab == nullptr)
        return false;
    {
        mutex_guard guard(home->lock);
        choose_colour(*home, *slab);
    }
    pageblock& block = pageblock_of(slab->start);
    const auto first_page = static_cast<std::size_t>(slab->start - block.start) >> page_shift;
    block.dirty.set(first_page, nr_pages(slab->order));
    char* const first = slab->start + slab->colour * malloc_alignment;
    const unsigned room = objects_in(slab->order);
    for (unsigned i = 0; i < room; ++i)
        construct(first + i * size());
    mutex_guard guard(home->lock);
    count_slab(*home, *slab);
    home->nr_free += room;
    list_by_fullness(*home, *slab);
    return true;
}

// --- what is out -------------------------------------------------------------------------------

std::size_t program_cache::nr_out() const
{
    std::size_t n = 0;
    for (unsigned shard = 0; shard < nr_shards(); ++shard) {
        kmem_cache_node* home = node(shard);
        if (home == nullptr)
            continue;
        const std::size_t in_barn = home->sheaves.nr_objects();
        mutex_guard guard(home->lock);
        n += home->nr_objects - home->nr_free - in_barn;
    }
    return n;
}

void program_cache::for_each_out(void (*fn)(void*, void*), void* argument) const
{
    for (const arena* a = newest_arena(); a != nullptr; a = a->next) {
        for (std::size_t b = 0; b < a->nr_blocks; ++b) {
            const pageblock& block = a->blocks[b];
            if (block.mem_map == nullptr || block.state != pageblock_state::online)
                continue;
            for (std::size_t n = 0; n < pages_per_pageblock; ++n) {
                page& head = block.mem_map[n];
                if (head.state != page_state::slab || head.cache != number() ||
                    n % nr_pages(head.order) != 0)
                    continue;
                for (unsigned i = 0; i < objects_in(head.order); ++i) {
                    if ((bitmap_word(head, i) & bit_in_word(i)) == 0)
                        fn(argument, position_of(head, i).object);
                }
            }
        }
    }
}

} // namespace bsl
