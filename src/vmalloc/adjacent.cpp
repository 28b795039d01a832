#include "vmalloc/adjacent.hpp"

#include "arena/mem_section.hpp"
#include "base/check.hpp"
#include "buddy/zonelist.hpp"
#include "host/clear.hpp"

namespace bsl
{

namespace
{

/// A run starts with a pageblock; of the last one it may have a part.
std::size_t pages_in_pageblock(std::size_t rest)
{
    return rest < pages_per_pageblock ? rest : pages_per_pageblock;
}

void clear_dirty_pages(const pageblock& block, std::size_t pages)
{
    for (std::size_t from = block.dirty.find(0, pages, true); from != pages;) {
        const std::size_t to = block.dirty.find(from, pages, false);
        host::clear(block.start + (from << page_shift), (to - from) << page_shift);
        from = block.dirty.find(to, pages, true);
    }
}

} // namespace

char* alloc_adjacent(std::size_t size, std::size_t alignment, bool zeroed)
{
    if (alignment > pageblock_size)
        return nullptr;
    const std::size_t pages = size >> page_shift;
    const std::size_t nr_blocks = div_round_up(size, pageblock_size);
    const std::size_t spare = nr_blocks * pages_per_pageblock - pages;
    char* start = nullptr;
    for (unsigned i = 0; start == nullptr && i < nr_nodes(); ++i) {
        zone& from = zone_of_node(nr_nodes() == 1 ? 0 : nodes_by_distance(current_node())[i]);
        mutex_guard guard(from.lock);
        start = from.alloc_adjacent_blocks(nr_blocks);
        if (start != nullptr && spare != 0)
            from.free_run(start + size, spare);
    }
    if (start == nullptr)
        return nullptr;
    for (std::size_t done = 0; done < pages; done += pages_per_pageblock) {
        pageblock& block = pageblock_of(start + (done << page_shift));
        const std::size_t here = pages_in_pageblock(pages - done);
        if (zeroed)
            clear_dirty_pages(block, here);
        block.dirty.set(0, here);
    }
    page& first = page_of(pageblock_of(start), start);
    first.start = start;
    first.nr_run_pages = pages;
    first.order = max_page_order;
    first.state = page_state::run;
    return start;
}

vfree_result free_adjacent(char* start)
{
    page& first = page_of(pageblock_of(start), start);
    zone& home = home_of(start);
    mutex_guard guard(home.lock);
    if (first.state != page_state::run)
        return vfree_result::already_free;
    if (first.start != start)
        return vfree_result::not_start;
    const std::size_t pages = first.nr_run_pages;
    first.state = page_state::free;
    first.nr_run_pages = 0;
    first.start = nullptr;
    for (std::size_t done = 0; done < pages; done += pages_per_pageblock)
        home.free_run(start + (done << page_shift), pages_in_pageblock(pages - done));
    return vfree_result::freed;
}

} // namespace bsl
