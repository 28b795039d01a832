#include "buddy/reclaim.hpp"

#include "arena/huge_pages.hpp"
#include "arena/mem_section.hpp"
#include "base/check.hpp"
#include "base/probe.hpp"
#include "config/params.hpp"
#include "host/clock.hpp"

#include <atomic>

namespace bsl
{

namespace
{

constexpr unsigned batch_size = 16;

/// Between large objects, free blocks of this order are given back first: 256 KiB a system call.
constexpr unsigned surplus_order_min = 6;

/// Blocks that were taken out of the zone to be discarded.
struct isolated_batch
{
    list_head link;
    unsigned count;
    char* start[batch_size];
    unsigned order[batch_size];
};

constinit std::atomic<std::size_t> bytes_returned{0};
constinit std::atomic<std::size_t> calls_made{0};
constinit std::atomic<std::uint64_t> interval_start{0};

std::size_t dirty_pages(const zone& of, bool large)
{
    return large ? of.counts().nr_dirty_large : of.counts().nr_dirty_small;
}

/// The resident block that is best to give back.
char* take_surplus(zone& from, bool large, unsigned& order) BSL_TSA(requires_capability(from.lock))
{
    if (!large)
        return from.take_resident(migrate_type::slab, 0, order);
    // Wholly free pageblocks are what can serve any request: they go late.
    if (char* start = from.take_resident(migrate_type::run, surplus_order_min, order))
        return start;
    if (char* start = from.take_resident(migrate_type::none, 0, order))
        return start;
    return from.take_resident(migrate_type::run, 0, order);
}

void take_batch(zone& from, bool large, std::size_t keep_pages, isolated_batch& batch)
{
    mutex_guard guard(from.lock);
    batch.count = 0;
    while (batch.count < batch_size && dirty_pages(from, large) > keep_pages) {
        unsigned& order = batch.order[batch.count];
        char* start = take_surplus(from, large, order);
        if (start == nullptr)
            break;
        batch.start[batch.count++] = start;
    }
    from.isolated.insert_back(batch.link);
}

void put_batch(zone& to, isolated_batch& batch)
{
    mutex_guard guard(to.lock);
    list_head::remove(batch.link);
    for (unsigned i = 0; i < batch.count; ++i) {
        to.note_given(batch.start[i], nr_pages(batch.order[i]));
        to.free_block(batch.start[i], batch.order[i]);
    }
}

} // namespace

void discard_batch::add(char* start, std::size_t pages)
{
    pageblock& block = pageblock_of(start);
    end_huge_pages(block, pages == pages_per_pageblock);
    const auto first = static_cast<std::size_t>(start - block.start) >> page_shift;
    const std::size_t end = first + pages;
    const std::size_t unit = host::page_size() >> page_shift;
    for (std::size_t from = block.dirty.find(first, end, true); from != end;) {
        const std::size_t to = block.dirty.find(from, end, false);
        // Pages of ours that share a page of the kernel with others stay.
        const std::size_t inner_from = round_up(from, unit);
        const std::size_t inner_to = round_down(to, unit);
        if (inner_from < inner_to) {
            if (nr_ranges_ == nr_ranges_max)
                run();
            ranges_[nr_ranges_++] = {block.start + (inner_from << page_shift),
                                     (inner_to - inner_from) << page_shift};
        }
        from = block.dirty.find(to, end, true);
    }
}

void discard_batch::run()
{
    const host::discarded done = host::discard_each(ranges_, nr_ranges_);
    calls_made.fetch_add(done.calls, std::memory_order_relaxed);
    for (unsigned i = 0; i < done.ranges; ++i) {
        char* start = static_cast<char*>(ranges_[i].start);
        pageblock& block = pageblock_of(start);
        block.dirty.clear(static_cast<std::size_t>(start - block.start) >> page_shift,
                          ranges_[i].size >> page_shift);
        bytes_returned.fetch_add(ranges_[i].size, std::memory_order_relaxed);
        BSL_PROBE2(purge, start, ranges_[i].size);
    }
    nr_ranges_ = 0;
}

std::size_t reclaim_pages(zone& from, bool large, std::size_t keep)
{
    VM_BUG_ON(!lockdep::holds_nothing());
    const std::size_t before = bytes_returned.load(std::memory_order_relaxed);
    const std::size_t keep_pages = keep >> page_shift;
    while (dirty_pages(from, large) > keep_pages) {
        isolated_batch batch{};
        take_batch(from, large, keep_pages, batch);
        const std::size_t returned = bytes_returned.load(std::memory_order_relaxed);
        discard_batch pages;
        for (unsigned i = 0; i < batch.count; ++i)
            pages.add(batch.start[i], nr_pages(batch.order[i]));
        pages.run();
        put_batch(from, batch);
        // Nothing left to take, or a kernel that refuses: either way no reason to go on.
        if (bytes_returned.load(std::memory_order_relaxed) == returned)
            break;
    }
    return bytes_returned.load(std::memory_order_relaxed) - before;
}

std::size_t bound_now(const zone& of, bool large)
{
    std::size_t base = large ? param.dirty_large_max : param.dirty_max;
    if (large) {
        const std::size_t share = of.counts().nr_used_peak * bytes_per_page / large_part;
        base = share < base ? share : base;
    }
    const std::size_t extra = of.regrets[large].extra.load(std::memory_order_relaxed);
    // 0 means "keep nothing", whatever it costs.
    return base == 0 ? 0 : base > SIZE_MAX - extra ? SIZE_MAX : base + extra;
}

namespace
{

/// Pages that were taken again so soon should have been kept: raises the bounds by as many.
void learn(zone& of)
{
    const std::size_t taken = of.counts().nr_taken_again;
    const std::size_t since = taken - of.taken_before.exchange(taken, std::memory_order_relaxed);
    const std::size_t given[] = {of.regrets[0].given.load(std::memory_order_relaxed),
                                 of.regrets[1].given.load(std::memory_order_relaxed)};
    const std::size_t sum = given[0] + given[1];
    if (since == 0 || sum == 0)
        return;
    const std::size_t peak = of.counts().nr_used_peak * bytes_per_page;
    for (unsigned kind = 0; kind < 2; ++kind) {
        const std::size_t share = peak / extra_bound_part[kind];
        const std::size_t most = share > extra_bound[kind] ? share : extra_bound[kind];
        const std::size_t again = since < sum ? since * given[kind] / sum : given[kind];
        regret& r = of.regrets[kind];
        const std::size_t extra = r.extra.load(std::memory_order_relaxed) + (again << page_shift);
        r.extra.store(extra < most ? extra : most, std::memory_order_relaxed);
        r.given.store(given[kind] - again, std::memory_order_relaxed);
    }
}

/// Gives back, and takes note of it.
void give_back(zone& of, bool large, std::size_t keep)
{
    const std::size_t bytes = reclaim_pages(of, large, keep);
    of.regrets[large].given.fetch_add(bytes >> page_shift, std::memory_order_relaxed);
}

void keep_bound(zone& of, bool large)
{
    if (!exceeds_bound(of, large, dirty_pages(of, large) << page_shift)) [[likely]]
        return;
    // Below the bound by an eighth, so that the next free does not come here again.
    const std::size_t bound = bound_now(of, large);
    give_back(of, large, bound - bound / 8);
}

/// Fewest free resident pages of each kind in the interval that ends now.
struct low_water
{
    std::size_t pages[2];
};

low_water take_low_water(zone& of)
{
    low_water idle{};
    mutex_guard guard(of.lock);
    of.end_interval(idle.pages[0], idle.pages[1]);
    return idle;
}

/// An interval has ended: what was given back in it was rightly so, and a bound that was not reached in
/// it comes down.
void forget(regret& r)
{
    r.given.store(0, std::memory_order_relaxed);
    if (!r.was_used.exchange(false, std::memory_order_relaxed))
        r.extra.store(r.extra.load(std::memory_order_relaxed) / 2, std::memory_order_relaxed);
}

} // namespace

bool exceeds_bound(zone& of, bool large, std::size_t bytes)
{
    if (bytes <= bound_now(of, large)) [[likely]]
        return false;
    learn(of);
    of.regrets[large].was_used.store(true, std::memory_order_relaxed);
    return bytes > bound_now(of, large);
}

void balance(zone& of)
{
    keep_bound(of, false);
    keep_bound(of, true);
}

bool age(zone& of)
{
    balance(of);
    const std::uint64_t now = host::coarse_milliseconds();
    std::uint64_t start = interval_start.load(std::memory_order_relaxed);
    if (now - start < param.decay_ms ||
        !interval_start.compare_exchange_strong(start, now, std::memory_order_relaxed))
        return false;
    if (start != 0)
        end_interval(of);
    else // the first interval only begins
        take_low_water(of);
    return start != 0;
}

void end_interval(zone& of)
{
    const low_water idle = take_low_water(of);
    learn(of);
    forget(of.regrets[0]);
    forget(of.regrets[1]);
    for (bool large : {false, true}) {
        if (idle.pages[large] != 0)
            give_back(of, large, (dirty_pages(of, large) - idle.pages[large]) << page_shift);
    }
}

void balance_other(zone& of)
{
    for (bool large : {false, true}) {
        const std::size_t bound = large ? param.dirty_large_max : param.dirty_max;
        if (dirty_pages(of, large) > bound >> page_shift)
            reclaim_pages(of, large, bound - bound / 8);
    }
}

void age_other(zone& of)
{
    const low_water idle = take_low_water(of);
    for (bool large : {false, true}) {
        if (idle.pages[large] != 0)
            reclaim_pages(of, large, (dirty_pages(of, large) - idle.pages[large]) << page_shift);
    }
}

void adopt_isolated_pages(zone& of)
{
    mutex_guard guard(of.lock);
    while (list_head* node = of.isolated.front()) {
        auto& batch = *list_entry<isolated_batch, &isolated_batch::link>(node);
        list_head::remove(batch.link);
        for (unsigned i = 0; i < batch.count; ++i)
            of.free_block(batch.start[i], batch.order[i]);
    }
}

reclaim_totals totals_of_reclaim()
{
    return {bytes_returned.load(std::memory_order_relaxed),
            calls_made.load(std::memory_order_relaxed)};
}

constinit const reclaim_state state_of_reclaim{&bytes_returned, &calls_made};

} // namespace bsl
