#include "vmalloc/lending.hpp"

#include "arena/mem_section.hpp"
#include "base/check.hpp"
#include "buddy/zonelist.hpp"
#include "host/vm.hpp"

#include <algorithm>
#include <atomic>

namespace bsl
{

namespace
{

/// Blocks that are taken from the zone under one acquisition of its lock.
constexpr unsigned batch_size = 16;

/// Failed moves after which lending stops: each may cost the addresses of one block.
constexpr unsigned refusals_max = 8;

/// Blocks with too little in them, after which the search ends.
constexpr unsigned misses_max = 2 * batch_size;

/// Of a block's pages, one in so many must hold memory to be worth a VMA and a system call.
constexpr std::size_t least_resident_part = 2;

enum class ability : unsigned char
{
    unknown,
    able,
    unable
};

constinit std::atomic<ability> lending{ability::unknown};
constinit std::atomic<unsigned> nr_refusals{0};

/// A resident block, taken from the zone.
struct block
{
    char* start;
    std::size_t size;
};

/// Tries on two pages whether the kernel knows MREMAP_DONTUNMAP.
ability probe()
{
    const std::size_t unit = host::page_size();
    auto* two = static_cast<char*>(host::map(nullptr, 2 * unit));
    if (two == nullptr)
        return ability::unable;
    const bool moved = host::move_frames(two, two + unit, unit);
    host::unmap(two, 2 * unit);
    return moved ? ability::able : ability::unable;
}

std::size_t page_number(const pageblock& of, const char* start)
{
    return static_cast<std::size_t>(start - of.start) >> page_shift;
}

bool is_mostly_resident(const block& b)
{
    const pageblock& of = pageblock_of(b.start);
    const std::size_t pages = b.size >> page_shift;
    return of.dirty.count(page_number(of, b.start), pages) * least_resident_part >= pages;
}

/// Zones that lend, the nearest first.  Contiguous areas come last: what is theirs may be called for.
zonelist lenders()
{
    zonelist list{};
    const unsigned here = current_node();
    for (unsigned i = 0; i < nr_nodes(); ++i)
        list.zones[list.nr++] = &zone_of_node(nr_nodes() == 1 ? 0 : nodes_by_distance(here)[i]);
    if (zone* contiguous = zone_at(zone_number(0, zone_type::movable)))
        list.zones[list.nr++] = contiguous;
    return list;
}

/// Takes resident blocks of at least `wanted` bytes together, or what there is.  In ascending order:
/// neighbours at home then share a VMA in the window, too.
unsigned take_blocks(block (&taken)[batch_size], unsigned max_blocks, std::size_t wanted)
{
    unsigned n = 0;
    std::size_t sum = 0;
    const zonelist list = lenders();
    for (unsigned i = 0; i < list.nr; ++i) {
        zone* const from = list.zones[i];
        mutex_guard guard(from->lock);
        for (migrate_type type : {migrate_type::none, migrate_type::run, migrate_type::slab}) {
            while (n < max_blocks && sum < wanted) {
                unsigned order = 0;
                char* start = from->take_resident(type, stitch_order_min, order);
                if (start == nullptr)
                    break;
                taken[n] = {start, nr_pages(order) << page_shift};
                sum += taken[n++].size;
            }
        }
    }
    std::sort(taken, taken + n, [](const block& a, const block& b) { return a.start < b.start; });
    return n;
}

void free_to_zone(char* start, std::size_t size)
{
    zone& home = zone_of(start);
    mutex_guard guard(home.lock);
    home.free_run(start, size >> page_shift);
}

/// Moves the frames of a block to the end of what is lent.
bool lend(vm_area& area, const block& b)
{
    if (!move_to_window(b.start, area.start + area.lent_end, b.size))
        return false;
    page& record = page_of(pageblock_of(b.start), b.start);
    VM_BUG_ON(record.state != page_state::free || record.lru.is_linked());
    record.start = b.start;
    record.nr_run_pages = b.size >> page_shift;
    area.lent.insert_back(record.lru);
    area.lent_end += b.size;
    ++area.nr_lent;
    return true;
}

/// What becomes of the addresses that frames leave.
enum class leave
{
    unmapped,
    empty
};

/// Sends the frames at `from` home and frees their pages.
void return_frames(char* home, char* from, std::size_t size, leave how)
{
    pageblock& of = pageblock_of(home);
    const std::size_t first = page_number(of, home);
    const std::size_t pages = size >> page_shift;
    const bool moved = how == leave::empty ? host::move_frames(from, home, size)
                                           : host::move_mapping(from, home, size);
    if (moved) {
        of.dirty.set(first, pages);
    } else {
        if (how == leave::empty)
            host::discard(from, size);
        else
            host::unmap(from, size);
        if (!mend_home(home, size))
            return; // its pages stay taken: lost, but nobody's trap
        of.dirty.clear(first, pages);
    }
    free_to_zone(home, size);
}

} // namespace

/// Either the failed move left the home as it was, empty; or it unmapped it, and then the range is
/// mapped anew unless another thread was faster by a few instructions.
bool mend_home(char* home, std::size_t size)
{
    void* at = host::map(home, size);
    if (at == nullptr)
        return false;
    if (at != home)
        host::unmap(at, size);
    return true;
}

bool can_lend()
{
    ability known = lending.load(std::memory_order_relaxed);
    if (known == ability::unknown) [[unlikely]] {
        known = probe();
        lending.store(known, std::memory_order_relaxed);
    }
    return known == ability::able;
}

void cut_off(vm_area& area, std::size_t offset, std::size_t size)
{
    const std::size_t rest = offset + size;
    if (rest < area.reserved)
        host::unmap(area.start + rest, area.reserved - rest);
    area.reserved = area.committed = area.size = offset;
}

bool move_to_window(char* from, char* to, std::size_t size)
{
    if (host::move_frames(from, to, size))
        return true;
    if (nr_refusals.fetch_add(1, std::memory_order_relaxed) + 1 >= refusals_max)
        lending.store(ability::unable, std::memory_order_relaxed);
    return false;
}

std::size_t lendable_bytes()
{
    std::size_t pages = 0;
    const zonelist list = lenders();
    for (unsigned i = 0; i < list.nr; ++i)
        pages += list.zones[i]->counts().nr_dirty_large;
    // The kernel is asked only where there is something to lend.
    return pages >= nr_pages(stitch_order_min) && can_lend() ? pages << page_shift : 0;
}

bool lend_blocks(vm_area& area, std::size_t size, std::size_t max_blocks)
{
    bool is_whole = true; // the window is
    bool go_on = true;
    unsigned misses = 0; // blocks with too little in them
    while (go_on && area.lent_end < size && area.nr_lent < max_blocks) {
        const std::size_t room = max_blocks - area.nr_lent;
        block taken[batch_size];
        const unsigned limit = room < batch_size ? static_cast<unsigned>(room) : batch_size;
        const unsigned n = take_blocks(taken, limit, size - area.lent_end);
        go_on = n != 0;
        for (unsigned i = 0; i < n; ++i) {
            block b = taken[i];
            const std::size_t missing = size - area.lent_end;
            if (!is_whole || missing == 0 || !is_mostly_resident(b)) {
                free_to_zone(b.start, b.size);
                go_on = is_whole && missing != 0 && ++misses < misses_max;
                continue;
            }
            if (b.size > missing) {
                free_to_zone(b.start + missing, b.size - missing);
                b.size = missing;
            }
            if (!lend(area, b)) {
                cut_off(area, area.lent_end, b.size);
                free_to_zone(b.start, b.size);
                is_whole = false;
                go_on = false;
            }
        }
    }
    return is_whole;
}

void return_run(vm_area& area)
{
    return_frames(area.run, area.start, area.run_size, leave::empty);
    area.run = nullptr;
    area.run_size = 0;
}

void return_blocks(vm_area& area)
{
    char* from = area.start;
    if (area.run != nullptr)
        return_frames(area.run, from, area.run_size, leave::unmapped);
    from += area.run_size;
    list_for_each<page, &page::lru>(area.lent, [&from](page& record) {
        char* const home = record.start;
        const std::size_t size = record.nr_run_pages << page_shift;
        list_head::remove(record.lru);
        record.start = nullptr;
        record.nr_run_pages = 0;
        return_frames(home, from, size, leave::unmapped);
        from += size;
    });
    VM_BUG_ON(from != area.start + area.lent_end);
    area.run = nullptr;
    area.run_size = 0;
    area.nr_lent = 0;
}

} // namespace bsl
