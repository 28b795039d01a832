#include "buddy/reclaim.hpp"

#include "arena/mem_section.hpp"
#include "base/check.hpp"
#include "config/params.hpp"
#include "host/clock.hpp"
#include "host/vm.hpp"

#include <atomic>

namespace bsl
{

namespace
{

constexpr unsigned batch_size = 16;

/// Blocks that were taken out of the zone to be discarded.
struct isolated_batch
{
    list_head link;
    unsigned count;
    char* start[batch_size];
    unsigned order[batch_size];
};

constinit list_head isolated; ///< lock: the zone's
constinit std::atomic<std::size_t> bytes_returned{0};
constinit std::atomic<std::size_t> calls_made{0};
constinit std::atomic<std::uint64_t> interval_start{0};

/// What the zone has learnt of one kind of pageblock since the interval began.  Guesses: threads may
/// overwrite each other's.
struct regret
{
    std::atomic<std::size_t> extra;        ///< bytes that the bound is raised by
    std::atomic<std::size_t> pages_given;  ///< back, the last time
    std::atomic<std::size_t> taken_before; ///< clean pages taken up to then
};
constinit regret regrets[2];

std::size_t dirty_pages(const zone& of, bool whole)
{
    return whole ? of.counts().nr_dirty_whole : of.counts().nr_dirty_small;
}

void take_batch(zone& from, bool whole, std::size_t keep_pages, isolated_batch& batch)
{
    mutex_guard guard(from.lock);
    batch.count = 0;
    while (batch.count < batch_size && dirty_pages(from, whole) > keep_pages) {
        unsigned& order = batch.order[batch.count];
        char* start = from.take_resident(whole, 0, order);
        if (start == nullptr)
            break;
        batch.start[batch.count++] = start;
    }
    isolated.insert_back(batch.link);
}

void put_batch(zone& to, isolated_batch& batch)
{
    mutex_guard guard(to.lock);
    list_head::remove(batch.link);
    for (unsigned i = 0; i < batch.count; ++i)
        to.free_block(batch.start[i], batch.order[i]);
}

} // namespace

void discard_pages(char* start, std::size_t pages)
{
    pageblock& block = pageblock_of(start);
    const auto first = static_cast<std::size_t>(start - block.start) >> page_shift;
    const std::size_t end = first + pages;
    const std::size_t unit = host::page_size() >> page_shift;
    for (std::size_t from = block.dirty.find(first, end, true); from != end;) {
        const std::size_t to = block.dirty.find(from, end, false);
        // Pages of ours that share a page of the kernel with others stay.
        const std::size_t inner_from = round_up(from, unit);
        const std::size_t inner_to = round_down(to, unit);
        if (inner_from < inner_to) {
            char* at = block.start + (inner_from << page_shift);
            const std::size_t size = (inner_to - inner_from) << page_shift;
            if (host::discard(at, size)) {
                block.dirty.clear(inner_from, inner_to - inner_from);
                bytes_returned.fetch_add(size, std::memory_order_relaxed);
                calls_made.fetch_add(1, std::memory_order_relaxed);
            }
        }
        from = block.dirty.find(to, end, true);
    }
}

std::size_t reclaim_pages(zone& from, bool whole, std::size_t keep)
{
    VM_BUG_ON(!lockdep::holds_nothing());
    const std::size_t before = bytes_returned.load(std::memory_order_relaxed);
    const std::size_t keep_pages = keep >> page_shift;
    while (dirty_pages(from, whole) > keep_pages) {
        isolated_batch batch{};
        take_batch(from, whole, keep_pages, batch);
        const std::size_t returned = bytes_returned.load(std::memory_order_relaxed);
        for (unsigned i = 0; i < batch.count; ++i)
            discard_pages(batch.start[i], nr_pages(batch.order[i]));
        put_batch(from, batch);
        // Nothing left to take, or a kernel that refuses: either way no reason to go on.
        if (bytes_returned.load(std::memory_order_relaxed) == returned)
            break;
    }
    return bytes_returned.load(std::memory_order_relaxed) - before;
}

std::size_t bound_now(bool whole)
{
    const std::size_t base = whole ? param.dirty_large_max : param.dirty_max;
    const std::size_t extra = regrets[whole].extra.load(std::memory_order_relaxed);
    // 0 means "keep nothing", whatever it costs.
    return base == 0 ? 0 : base > SIZE_MAX - extra ? SIZE_MAX : base + extra;
}

namespace
{

/// Was giving back the last time a mistake?  Then raises the bound.
void learn(const zone& of, bool whole)
{
    regret& r = regrets[whole];
    const std::size_t given = r.pages_given.load(std::memory_order_relaxed);
    const std::size_t taken =
        of.counts().nr_clean_taken - r.taken_before.load(std::memory_order_relaxed);
    if (given == 0 || taken < given / 2)
        return;
    const std::size_t extra = r.extra.load(std::memory_order_relaxed);
    const std::size_t more = extra == 0 ? extra_bound_first : 2 * extra;
    const std::size_t most = of.counts().nr_used_peak * bytes_per_page / extra_bound_part;
    if (more <= most)
        r.extra.store(more, std::memory_order_relaxed);
}

void keep_bound(zone& of, bool whole)
{
    if (dirty_pages(of, whole) <= bound_now(whole) >> page_shift) [[likely]]
        return;
    learn(of, whole);
    // Below the bound by an eighth, so that the next free does not come here again.
    const std::size_t bound = bound_now(whole);
    const std::size_t bytes = reclaim_pages(of, whole, bound - bound / 8);
    regret& r = regrets[whole];
    r.pages_given.store(bytes >> page_shift, std::memory_order_relaxed);
    r.taken_before.store(of.counts().nr_clean_taken, std::memory_order_relaxed);
}

/// An interval has ended: a bound that was not reached in it comes down.
void forget(bool whole)
{
    regret& r = regrets[whole];
    if (r.pages_given.exchange(0, std::memory_order_relaxed) == 0) {
        const std::size_t extra = r.extra.load(std::memory_order_relaxed);
        r.extra.store(extra < extra_bound_first ? 0 : extra / 2, std::memory_order_relaxed);
    }
}

} // namespace

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
    std::size_t idle_small = 0;
    std::size_t idle_whole = 0;
    {
        mutex_guard guard(of.lock);
        of.take_low_water(idle_small, idle_whole);
    }
    if (start == 0)
        return false; // the first interval only begins
    forget(false);
    forget(true);
    const zone_counts& counts = of.counts();
    if (idle_small != 0)
        reclaim_pages(of, false, (counts.nr_dirty_small - idle_small) << page_shift);
    if (idle_whole != 0)
        reclaim_pages(of, true, (counts.nr_dirty_whole - idle_whole) << page_shift);
    return true;
}

void adopt_isolated_pages(zone& of)
{
    mutex_guard guard(of.lock);
    while (list_head* node = isolated.front()) {
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

} // namespace bsl
