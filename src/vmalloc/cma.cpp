#include "vmalloc/cma.hpp"

#include "arena/arena.hpp"
#include "arena/low_memory.hpp"
#include "arena/memblock.hpp"
#include "base/check.hpp"
#include "buddy/zone_table.hpp"
#include "host/vm.hpp"
#include "vmalloc/exchange.hpp"

#include <algorithm>
#include <cstring>

namespace bsl
{

constinit mutex cma_lock{lock_rank::cma};

namespace
{

constinit cma* areas BSL_TSA(guarded_by(cma_lock)) = nullptr;

constexpr std::size_t bits_per_word = 64;

/// Times that an area is looked through: frames may be between two places for a moment, because a window
/// is just being made or taken down.
constexpr unsigned scans_max = 4;

// --- declaring ---------------------------------------------------------------------------------

char* map_area(const cma_request& request)
{
    const std::size_t alignment = std::max(request.alignment, pageblock_size);
    auto* const base = reinterpret_cast<char*>(request.base);
    if (request.base != 0 && host::map_at(base, request.size))
        return base;
    if (request.fixed)
        return nullptr;
    if (request.limit != 0 && request.limit <= low_memory_end)
        return map_below(request.limit, request.size, alignment);
    char* start = static_cast<char*>(host::map_aligned(nullptr, request.size, alignment));
    if (start == nullptr || request.limit == 0 ||
        reinterpret_cast<std::uintptr_t>(start) + request.size <= request.limit)
        return start;
    host::unmap(start, request.size);
    return map_below(request.limit, request.size, alignment);
}

/// Makes sure that every page holds memory.
void fault_in(char* start, std::size_t size)
{
    host::advise_huge(start, size, false);
    if (host::populate(start, size))
        return;
    for (std::size_t at = 0; at < size; at += bytes_per_page)
        static_cast<volatile char*>(start)[at] = 0;
}

std::size_t nr_bits(const cma& area)
{
    return area.pages >> area.order_per_bit;
}

cma* make_descriptor(char* start, const cma_request& request)
{
    auto* made = static_cast<cma*>(memblock_alloc(sizeof(cma)));
    if (made == nullptr)
        return nullptr;
    made->start = start;
    made->pages = request.size >> page_shift;
    made->order_per_bit = request.order_per_bit;
    if (request.name != nullptr)
        std::memcpy(made->name, request.name, strnlen(request.name, cma_name_size - 1));
    const std::size_t words = div_round_up(nr_bits(*made), bits_per_word);
    made->bitmap = static_cast<std::uint64_t*>(memblock_alloc(words * sizeof(std::uint64_t)));
    return made->bitmap == nullptr ? nullptr : made;
}

/// All pageblocks of a new area join the zone, in one go: another thread that declares an area at the same
/// time may do it for this one, and this one must not go on before.
void bring_all_online(zone& to)
{
    mutex_guard guard(to.lock);
    while (pageblock* block = bring_online(to.number())) {
        block->dirty.set(0, pages_per_pageblock);
        to.add_block(*block);
    }
}

// --- the bitmap --------------------------------------------------------------------------------

/// A stretch of pages of an area: a whole number of bits.
struct stretch
{
    std::size_t first;
    std::size_t pages;
};

bool test(const cma& area, std::size_t bit)
{
    return (area.bitmap[bit / bits_per_word] >> (bit % bits_per_word) & 1) != 0;
}

bool all_are(const cma& area, stretch s, bool used) BSL_TSA(requires_capability(cma_lock))
{
    for (std::size_t page = s.first; page < s.first + s.pages;
         page += nr_pages(area.order_per_bit)) {
        if (test(area, page >> area.order_per_bit) != used)
            return false;
    }
    return true;
}

void mark(cma& area, stretch s, bool used) BSL_TSA(requires_capability(cma_lock))
{
    for (std::size_t page = s.first; page < s.first + s.pages;
         page += nr_pages(area.order_per_bit)) {
        const std::size_t bit = page >> area.order_per_bit;
        const std::uint64_t mask = std::uint64_t{1} << (bit % bits_per_word);
        std::uint64_t& word = area.bitmap[bit / bits_per_word];
        word = used ? word | mask : word & ~mask;
    }
    area.nr_used = used ? area.nr_used + s.pages : area.nr_used - s.pages;
}

/// Claims the first unused stretch from page `from` on.  False when there is none.
bool claim(cma& area, std::size_t from, std::size_t alignment, stretch& s)
{
    const std::size_t base = address_to_pfn(area.start);
    mutex_guard guard(cma_lock);
    for (std::size_t pfn = round_up(base + from, alignment);; pfn += alignment) {
        s.first = pfn - base;
        if (s.first > area.pages || area.pages - s.first < s.pages)
            return false;
        if (all_are(area, s, false)) {
            mark(area, s, true);
            return true;
        }
    }
}

void unclaim(cma& area, stretch s)
{
    mutex_guard guard(cma_lock);
    mark(area, s, false);
}

// --- the pages ---------------------------------------------------------------------------------

/// Calls fn(start, pages) for the part of a stretch in each pageblock; ends where it says false.
template <typename Fn>
std::size_t for_each_part(char* start, std::size_t pages, Fn fn)
{
    std::size_t done = 0;
    while (done < pages) {
        char* const at = start + (done << page_shift);
        const std::size_t room = pages_per_pageblock - address_to_pfn(at) % pages_per_pageblock;
        const std::size_t here = std::min(room, pages - done);
        if (!fn(at, here))
            break;
        done += here;
    }
    return done;
}

void free_pages(char* start, std::size_t pages)
{
    zone& home = zone_of(start);
    for_each_part(start, pages, [&home](char* at, std::size_t here) {
        mutex_guard guard(home.lock);
        home.free_run(at, here);
        return true;
    });
}

bool take_pages(char* start, std::size_t pages)
{
    zone& home = zone_of(start);
    const auto take_part = [&home](char* at, std::size_t here) {
        for (;;) {
            {
                mutex_guard guard(home.lock);
                if (home.extend_run(at, here))
                    return true;
            }
            if (!call_home(at, here << page_shift))
                return false;
        }
    };
    const std::size_t taken = for_each_part(start, pages, take_part);
    if (taken == pages)
        return true;
    free_pages(start, taken);
    return false;
}

void set_state(char* start, std::size_t pages, page_state state)
{
    for (std::size_t i = 0; i < pages; ++i) {
        char* const at = start + (i << page_shift);
        page& p = page_of(pageblock_of(at), at);
        p.start = at;
        p.nr_run_pages = 1;
        p.order = 0;
        p.colour = 0;
        p.shard = pageblock_of(at).zone;
        p.state = state;
    }
}

} // namespace

cma* declare_contiguous(const cma_request& request)
{
    VM_BUG_ON(!lockdep::holds_nothing());
    zone* movable = make_zone(zone_number(0, zone_type::movable));
    char* start = movable == nullptr ? nullptr : map_area(request);
    if (start == nullptr)
        return nullptr;
    fault_in(start, request.size);
    cma* made = make_descriptor(start, request);
    if (made == nullptr || !add_arena(start, request.size / pageblock_size, movable->number())) {
        host::unmap(start, request.size);
        return nullptr;
    }
    bring_all_online(*movable);
    mutex_guard guard(cma_lock);
    made->next = areas;
    areas = made;
    return made;
}

page* cma_alloc(cma& area, std::size_t count, unsigned order)
{
    VM_BUG_ON(!lockdep::holds_nothing());
    if (count == 0 || count > area.pages || order >= address_bits - page_shift)
        return nullptr;
    const std::size_t unit = nr_pages(area.order_per_bit);
    stretch s{0, round_up(count, unit)};
    std::size_t from = 0;
    for (unsigned scans = 0; scans < scans_max;) {
        if (!claim(area, from, std::max(nr_pages(order), unit), s)) {
            ++scans;
            from = 0;
            continue;
        }
        char* const start = area.start + (s.first << page_shift);
        if (take_pages(start, s.pages)) {
            set_state(start, s.pages, page_state::frame);
            return &page_of(pageblock_of(start), start);
        }
        unclaim(area, s);
        from = s.first + unit;
    }
    return nullptr;
}

cma_release_result cma_release(cma& area, char* start, std::size_t count)
{
    const std::size_t unit = nr_pages(area.order_per_bit);
    const auto offset = static_cast<std::size_t>(start - area.start);
    const stretch s{offset >> page_shift, round_up(count, unit)};
    if (start < area.start || s.first >= area.pages || count > area.pages - s.first ||
        offset % (unit << page_shift) != 0)
        return cma_release_result::not_here;
    {
        // Twice: what is in use cannot be claimed by others before its pages are free, and of two who
        // release it one finds its first page free.
        mutex_guard guard(cma_lock);
        page& first = page_of(pageblock_of(start), start);
        if (!all_are(area, s, true) || first.state != page_state::frame)
            return cma_release_result::not_used;
        set_state(start, s.pages, page_state::free);
    }
    free_pages(start, s.pages);
    unclaim(area, s);
    return cma_release_result::released;
}

} // namespace bsl
