#include "vmalloc/exchange.hpp"

#include "arena/arena.hpp"
#include "base/check.hpp"
#include "buddy/zonelist.hpp"
#include "host/vm.hpp"
#include "vmalloc/lending.hpp"
#include "vmalloc/vmalloc.hpp"

namespace bsl
{

namespace
{

/// A block away from home, and who has its frames.
struct loan
{
    vm_area* area = nullptr;
    page* record = nullptr;
    std::size_t pages = 0;
};

/// The first loan from [start, end) to a live window.
loan find_loan(const char* start, const char* end) BSL_TSA(requires_capability(vmalloc_lock))
{
    loan found;
    list_for_each<vm_area, &vm_area::link>(live_windows, [&](vm_area& area) {
        if (found.area != nullptr || area.state != vm_area_state::live)
            return;
        list_for_each<page, &page::lru>(area.lent, [&](page& record) {
            const char* const home = record.start;
            if (found.area == nullptr && home < end &&
                home + (record.nr_run_pages << page_shift) > start)
                found = {&area, &record, record.nr_run_pages};
        });
    });
    return found;
}

char* take_block(std::size_t pages)
{
    const unsigned node = current_node();
    do {
        zone& from = zone_of_node(node);
        mutex_guard guard(from.lock);
        if (char* start = from.alloc_pages_exact(pages, ilog2_ceil(pages), migrate_type::run))
            return start;
    } while (grow_arenas(1, zone_of_node(node).number(), node));
    return nullptr;
}

void free_pages_at(char* start, std::size_t pages)
{
    zone& home = zone_of(start);
    mutex_guard guard(home.lock);
    home.free_run(start, pages);
}

std::size_t number_in(const pageblock& block, const char* start)
{
    return static_cast<std::size_t>(start - block.start) >> page_shift;
}

/// Gives `to`, which is empty, the frames of `from`, which is empty afterwards; where that holds none,
/// fresh ones.  False: `to` is lost.
bool fill_home(char* to, char* from, std::size_t pages)
{
    pageblock& source = pageblock_of(from);
    const std::size_t first = number_in(source, from);
    const std::size_t size = pages << page_shift;
    const bool is_resident = source.dirty.count(first, pages) != 0;
    if (is_resident && !(can_lend() && move_to_window(from, to, size))) {
        if (!mend_home(to, size) || !host::discard(from, size))
            return false;
    }
    source.dirty.clear(first, pages);
    host::populate(to, size); // where it cannot, pages come when they are touched
    pageblock& target = pageblock_of(to);
    target.dirty.set(number_in(target, to), pages);
    return true;
}

/// The window's record of the loan moves to the struct page of the other home.
void replace_record(page& old, char* home)
{
    page& record = page_of(pageblock_of(home), home);
    VM_BUG_ON(record.state != page_state::free || record.lru.is_linked());
    record.start = home;
    record.nr_run_pages = old.nr_run_pages;
    old.lru.insert_front(record.lru);
    list_head::remove(old.lru);
    old.nr_run_pages = 0;
}

/// False: there is no such loan any more, and nothing has happened.
bool exchange(const char* start, const char* end, char* block, std::size_t pages)
{
    mutex_guard moving(moving_lock);
    loan found;
    {
        mutex_guard guard(vmalloc_lock);
        found = find_loan(start, end);
        if (found.area == nullptr || found.pages != pages)
            return false;
        found.area->state = vm_area_state::moving;
    }
    char* const home = found.record->start;
    const bool filled = fill_home(home, block, pages);
    replace_record(*found.record, block);
    {
        mutex_guard guard(vmalloc_lock);
        found.area->state = vm_area_state::live;
    }
    if (filled)
        free_pages_at(home, pages);
    return true;
}

} // namespace

bool call_home(const char* start, std::size_t size)
{
    VM_BUG_ON(!lockdep::holds_nothing());
    const char* const end = start + size;
    bool any = release_windows() != 0;
    for (;;) {
        loan found;
        {
            mutex_guard guard(vmalloc_lock);
            found = find_loan(start, end);
        }
        if (found.area == nullptr)
            return any;
        char* block = take_block(found.pages);
        if (block == nullptr)
            return any;
        if (exchange(start, end, block, found.pages))
            any = true;
        else
            free_pages_at(block, found.pages);
    }
}

} // namespace bsl
