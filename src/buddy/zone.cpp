#include "buddy/zone.hpp"

#include "arena/arena.hpp"
#include "arena/huge_pages.hpp"
#include "arena/mem_section.hpp"
#include "base/check.hpp"
#include "config/params.hpp"

#include <cstddef>

namespace bsl
{

constinit zone zone_normal;

namespace
{

/// How many pageblocks of one list are looked at for the fullest.
constexpr unsigned fullest_of = 4;

bool is_wholly_free(const pageblock& block)
{
    return block.nr_free == pages_per_pageblock;
}

unsigned page_number(const pageblock& block, const char* start)
{
    return static_cast<unsigned>(static_cast<std::size_t>(start - block.start) >> page_shift);
}

pageblock* block_of_link(list_head* node, unsigned kind)
{
    const auto offset = offsetof(pageblock, link) + kind * sizeof(list_head);
    return reinterpret_cast<pageblock*>(reinterpret_cast<char*>(node) - offset);
}

} // namespace

/// Pageblocks of an arena that are in this zone's care, or were.
std::size_t zone::handed_out_of(const arena& a) const
{
    return a.zone == number_ ? a.nr_handed_out : 0;
}

void zone::account(const pageblock& block, bool add)
{
    counter<std::size_t>& dirty =
        block.type == migrate_type::slab ? counts_.nr_dirty_small : counts_.nr_dirty_large;
    if (add) {
        counts_.nr_free += block.nr_free;
        dirty += block.nr_dirty_free;
        return;
    }
    counts_.nr_free -= block.nr_free;
    dirty -= block.nr_dirty_free;
}

void zone::end_interval(std::size_t& small, std::size_t& large)
{
    ++interval_;
    small = low_small_;
    large = low_large_;
    low_small_ = counts_.nr_dirty_small;
    low_large_ = counts_.nr_dirty_large;
}

void zone::unlink(pageblock& block)
{
    for (list_head& link : block.link) {
        if (link.is_linked())
            list_head::remove(link);
    }
}

/// Puts a pageblock into the lists that its free blocks say it belongs to.
void zone::relink(pageblock& block)
{
    for (unsigned kind = 0; kind < nr_residencies; ++kind) {
        const int largest = largest_order(block, static_cast<residency>(kind));
        list_head& link = block.link[kind];
        if (link.is_linked()) {
            if (block.listed_order[kind] == largest)
                continue;
            list_head::remove(link);
        }
        if (largest < 0)
            continue;
        block.listed_order[kind] = static_cast<std::uint8_t>(largest);
        lists_[static_cast<unsigned>(block.type)][kind][largest].insert_front(link);
    }
}

/// Of the first few pageblocks the fullest that accept(pageblock&) lets pass: of the list of this order, or the first
/// larger one that has any.  To accept may be a search: the fullest is asked first.
template <typename Accept>
pageblock* zone::fullest(unsigned order, residency kind, migrate_type type, Accept accept)
{
    const auto which = static_cast<unsigned>(kind);
    for (unsigned o = order; o < nr_page_orders; ++o) {
        list_head& list = lists_[static_cast<unsigned>(type)][which][o];
        pageblock* few[fullest_of];
        unsigned n = 0;
        for (list_head* node = list.front(); node != nullptr && node != &list && n < fullest_of;
             node = node->next) {
            pageblock* block = block_of_link(node, which);
            unsigned i = n++;
            for (; i != 0 && block->nr_free < few[i - 1]->nr_free; --i)
                few[i] = few[i - 1];
            few[i] = block;
        }
        for (unsigned i = 0; i < n; ++i) {
            if (accept(*few[i]))
                return few[i];
        }
    }
    return nullptr;
}

pageblock* zone::choose(unsigned order, residency kind, migrate_type type)
{
    return fullest(order, kind, type, [](const pageblock&) { return true; });
}

char* zone::take_from(pageblock& block, unsigned order, residency kind, migrate_type type)
{
    account(block, false);
    if (is_wholly_free(block)) {
        unlink(block); // its lists change with its type
        block.type = type;
        if (type == migrate_type::slab && block.nr_dirty_free == 0 &&
            counts_.nr_online << pageblock_shift >= param.huge_pages_from)
            block.huge.store(huge_advice::due, std::memory_order_relaxed);
    }
    if (lowest_bit(block.orders_free[static_cast<unsigned>(kind)] >> order) != 0)
        ++counts_.nr_splits;
    const unsigned first = take_block(block, order, kind);
    relink(block);
    account(block, true);
    count_taken(block, first, nr_pages(order));
    return block.start + (std::size_t{first} << page_shift);
}

void zone::note_given(char* start, std::size_t pages)
{
    pageblock& block = pageblock_of(start);
    if (block.given_in != interval_) {
        block.given_in = interval_;
        block.nr_given = 0;
    }
    const std::size_t given = block.nr_given + pages;
    block.nr_given =
        static_cast<std::uint16_t>(given < pages_per_pageblock ? given : pages_per_pageblock);
}

void zone::note_filled(char* start, std::size_t pages)
{
    count_again(pageblock_of(start), pages);
}

void zone::count_again(pageblock& block, std::size_t pages)
{
    if (block.given_in != interval_)
        return;
    const std::size_t given = block.nr_given;
    const std::size_t again = pages < given ? pages : given;
    block.nr_given = static_cast<std::uint16_t>(given - again);
    counts_.nr_taken_again += again;
}

void zone::count_taken(pageblock& block, unsigned first, std::size_t pages)
{
    if (block.nr_given != 0)
        count_again(block, pages - block.dirty.count(first, pages));
    const std::size_t used = counts_.nr_used();
    if (used > counts_.nr_used_peak)
        counts_.nr_used_peak = used;
    if (counts_.nr_dirty_small < low_small_)
        low_small_ = counts_.nr_dirty_small;
    if (counts_.nr_dirty_large < low_large_)
        low_large_ = counts_.nr_dirty_large;
}

bool zone::extend_run(char* start, std::size_t pages)
{
    pageblock& block = pageblock_of(start);
    const unsigned first = page_number(block, start);
    account(block, false);
    if (is_wholly_free(block)) {
        unlink(block); // its lists change with its type
        block.type = migrate_type::run;
    }
    const bool taken = take_pages(block, first, static_cast<unsigned>(pages));
    relink(block);
    account(block, true);
    if (taken)
        count_taken(block, first, pages);
    return taken;
}

/// Own type first, then wholly free pageblocks, then the other type's.
char* zone::try_types(unsigned order, residency kind, migrate_type type)
{
    const migrate_type other = type == migrate_type::slab ? migrate_type::run : migrate_type::slab;
    for (migrate_type t : {type, migrate_type::none, other}) {
        if (pageblock* block = choose(order, kind, t))
            return take_from(*block, order, kind, type);
    }
    return nullptr;
}

char* zone::alloc_block(unsigned order, migrate_type type)
{
    VM_BUG_ON(order > max_page_order);
    if (char* start = try_types(order, residency::resident, type))
        return start;
    if (char* start = try_types(order, residency::clean, type))
        return start;

    pageblock* block = bring_online(number_);
    if (block == nullptr)
        return nullptr;
    add_block(*block);
    return take_from(*block, order, residency::clean, type);
}

unsigned zone::resident_order(unsigned least, unsigned most)
{
    for (unsigned order = nr_page_orders; order-- > least;) {
        for (auto& of_type : lists_) {
            const list_head& list = of_type[static_cast<unsigned>(residency::resident)][order];
            if (!list.is_empty())
                return order < most ? order : most;
        }
    }
    return most;
}

void zone::add_block(pageblock& block)
{
    block.state = pageblock_state::online;
    block.type = migrate_type::none;
    give_block(block, 0, max_page_order);
    ++counts_.nr_online;
    relink(block);
    account(block, true);
}

/// A pageblock with a run of free pages: of the first few of each list, starting with the smallest
/// blocks that a run may consist of, the fullest.  Of a resident run at least half holds memory.
pageblock* zone::choose_for_run(unsigned pages, unsigned room, residency kind, migrate_type type,
                                unsigned& first)
{
    const unsigned most_clean = kind == residency::resident ? pages / 2 : pages;
    // 2 * 2^k - 1 pages have an aligned block of 2^k in them, wherever they start.
    const unsigned smallest = ilog2(pages + 1) - 1;
    return fullest(smallest, kind, type, [&](pageblock& block) {
        const found_run found = find_run(block, pages, room);
        if (found.nr_clean > most_clean)
            return false;
        first = found.first;
        return true;
    });
}

char* zone::take_run(pageblock& block, unsigned first, std::size_t pages)
{
    account(block, false);
    if (is_wholly_free(block)) {
        unlink(block); // its lists change with its type
        block.type = migrate_type::run;
    }
    [[maybe_unused]] const bool taken = take_pages(block, first, static_cast<unsigned>(pages));
    VM_BUG_ON(!taken);
    relink(block);
    account(block, true);
    count_taken(block, first, pages);
    return block.start + (std::size_t{first} << page_shift);
}

char* zone::alloc_run(std::size_t pages, run_fit fit)
{
    VM_BUG_ON(pages == 0 || pages > pages_per_pageblock);
    for (residency kind : {residency::resident, residency::clean}) {
        std::size_t room = fit == run_fit::roomy ? 16 * pages : pages;
        room = room < pages_per_pageblock ? room : pages_per_pageblock;
        for (;;) {
            for (migrate_type type : {migrate_type::run, migrate_type::none, migrate_type::slab}) {
                unsigned first = 0;
                if (pageblock* block =
                        choose_for_run(static_cast<unsigned>(pages), static_cast<unsigned>(room),
                                       kind, type, first))
                    return take_run(*block, first, pages);
            }
            if (room == pages)
                break;
            room = room / 2 < pages ? pages : room / 2;
        }
    }
    return alloc_pages_exact(pages, ilog2_ceil(pages), migrate_type::run); // a new pageblock
}

char* zone::alloc_pages_exact(std::size_t pages, unsigned order, migrate_type type)
{
    VM_BUG_ON(pages == 0 || pages > nr_pages(order));
    char* start = alloc_block(order, type);
    if (start != nullptr && pages < nr_pages(order))
        free_run(start + (pages << page_shift), nr_pages(order) - pages);
    return start;
}

void zone::free_block(char* start, unsigned order)
{
    free_run(start, nr_pages(order));
}

void zone::free_run(char* start, std::size_t pages)
{
    pageblock& block = pageblock_of(start);
    VM_BUG_ON(block.state != pageblock_state::online);
    account(block, false);
    unsigned first = page_number(block, start);
    VM_BUG_ON(first + pages > pages_per_pageblock);
    while (pages != 0) {
        const unsigned aligned = first == 0 ? max_page_order : lowest_bit(first);
        const unsigned fits = ilog2(pages);
        const unsigned order = aligned < fits ? aligned : fits;
        give_block(block, first, order);
        first += static_cast<unsigned>(nr_pages(order));
        pages -= nr_pages(order);
    }
    if (is_wholly_free(block)) {
        unlink(block);
        block.type = migrate_type::none;
        if (had_huge_pages(block)) [[unlikely]]
            count_all_dirty(block);
    }
    relink(block);
    account(block, true);
    if constexpr (check_level >= 3)
        bsl::validate(block);
}

char* zone::take_resident(migrate_type type, unsigned min_order, unsigned& order)
{
    constexpr auto resident = static_cast<unsigned>(residency::resident);
    for (unsigned o = nr_page_orders; o-- > min_order;) {
        list_head& list = lists_[static_cast<unsigned>(type)][resident][o];
        if (list.is_empty())
            continue;
        // The back of the list: what was used longest ago.
        pageblock* block = block_of_link(list.prev, resident);
        order = o;
        return take_from(*block, o, residency::resident, type);
    }
    return nullptr;
}

char* zone::alloc_adjacent_blocks(std::size_t nr)
{
    // Arenas may touch each other: follow addresses, not arenas.
    for (arena* a = newest_arena(); a != nullptr; a = a->next) {
        for (std::size_t i = 0; i < handed_out_of(*a); ++i) {
            char* start = a->blocks[i].start;
            std::size_t found = 0;
            while (found < nr) {
                const pageblock* block = owner_of(start + found * pageblock_size).block;
                if (block == nullptr || block->zone != number_ ||
                    block->state != pageblock_state::online || !is_wholly_free(*block))
                    break;
                ++found;
            }
            if (found < nr) {
                i += found;
                continue;
            }
            for (std::size_t k = 0; k < nr; ++k) {
                pageblock& block = pageblock_of(start + k * pageblock_size);
                const bool resident = has_block(block, max_page_order, residency::resident);
                take_from(block, max_page_order, resident ? residency::resident : residency::clean,
                          migrate_type::run);
            }
            return start;
        }
    }
    return nullptr;
}

pageblock* zone::release_block()
{
    for (residency kind : {residency::clean, residency::resident}) {
        pageblock* block = choose(max_page_order, kind, migrate_type::none);
        if (block == nullptr)
            continue;
        take_from(*block, max_page_order, kind, migrate_type::none);
        block->state = pageblock_state::offline;
        --counts_.nr_online;
        return block;
    }
    return nullptr;
}

std::size_t zone::nr_free_blocks(unsigned order, residency kind)
{
    std::size_t sum = 0;
    for (arena* a = newest_arena(); a != nullptr; a = a->next) {
        for (std::size_t i = 0; i < handed_out_of(*a); ++i)
            sum += a->blocks[i].nr_blocks[static_cast<unsigned>(kind)][order];
    }
    return sum;
}

void zone::validate()
{
    std::size_t free = 0;
    std::size_t dirty = 0;
    for (arena* a = newest_arena(); a != nullptr; a = a->next) {
        for (std::size_t i = 0; i < handed_out_of(*a); ++i) {
            bsl::validate(a->blocks[i]);
            free += a->blocks[i].nr_free;
            dirty += a->blocks[i].nr_dirty_free;
        }
    }
    VM_BUG_ON(free != counts_.nr_free);
    VM_BUG_ON(dirty != counts_.nr_dirty_small + counts_.nr_dirty_large);
}

} // namespace bsl
