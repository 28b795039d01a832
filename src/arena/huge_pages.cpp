#include "arena/huge_pages.hpp"

#include "host/clock.hpp"
#include "host/vm.hpp"

namespace bsl
{

constinit page_costs costs_of_pages;

namespace
{

/// Takes longer than any average.
constexpr std::uint64_t not_to_be_had = std::uint64_t{1} << 60;

/// True for the one thread that takes the step.
bool step(pageblock& block, huge_advice from, huge_advice to)
{
    if (block.huge.load(std::memory_order_relaxed) != from) [[likely]]
        return false;
    return block.huge.compare_exchange_strong(from, to, std::memory_order_relaxed);
}

/// Faults pages in.  How long that took; 0 where the kernel does not do it.
std::uint64_t populate(char* start, std::size_t pages)
{
    const std::uint64_t before = host::nanoseconds();
    return host::populate(start, pages << page_shift) ? host::nanoseconds() - before : 0;
}

/// The mean of about the last `weight` values.
void average(std::atomic<std::uint64_t>& mean, std::uint64_t value, std::uint64_t weight)
{
    const std::uint64_t old = mean.load(std::memory_order_relaxed);
    mean.store(old == 0 ? value : (old * (weight - 1) + value) / weight, std::memory_order_relaxed);
}

} // namespace

void page_costs::note_pages(std::size_t pages, std::uint64_t ns)
{
    average(ns_page_, ns / pages, 8);
}

void page_costs::note_huge(std::uint64_t ns)
{
    if (ns < huge_page_ns_least)
        ns_huge_.store(not_to_be_had, std::memory_order_relaxed);
    else
        average(ns_huge_, ns, 4);
}

bool page_costs::does_huge_pay() const
{
    return ns_huge_.load(std::memory_order_relaxed) <=
           pages_per_huge_page * ns_page_.load(std::memory_order_relaxed);
}

bool page_costs::asks_for_huge()
{
    if (does_huge_pay())
        return true;
    if (nr_refused_.fetch_add(1, std::memory_order_relaxed) % huge_page_retry !=
        huge_page_retry - 1)
        return false;
    ns_huge_.store(0, std::memory_order_relaxed); // the trial alone decides
    return true;
}

namespace
{

void time_huge_page(char* at)
{
    if (const std::uint64_t ns = populate(at, 1))
        costs_of_pages.note_huge(ns);
}

/// The first page of a pageblock is opened.
void open_block(pageblock& block, char* at)
{
    const bool is_wanted = costs_of_pages.asks_for_huge();
    if (!step(block, huge_advice::due, is_wanted ? huge_advice::given : huge_advice::none) ||
        !is_wanted)
        return;
    host::advise_huge(block.start, pageblock_size, true);
    time_huge_page(at);
    if (!costs_of_pages.does_huge_pay())
        end_huge_pages(block, false);
}

} // namespace

void open_pages(pageblock& block, char* start, std::size_t pages)
{
    if (block.huge.load(std::memory_order_relaxed) == huge_advice::due) [[unlikely]]
        open_block(block, start);
    if (pages == 1 || block.huge.load(std::memory_order_relaxed) == huge_advice::given)
        return;
    if (const std::uint64_t ns = populate(start, pages))
        costs_of_pages.note_pages(pages, ns);
}

void open_window(char* start, std::size_t size, std::size_t reserved)
{
    if (!costs_of_pages.asks_for_huge())
        return;
    host::advise_huge(start, reserved, true);
    const auto before = static_cast<std::size_t>(-reinterpret_cast<std::uintptr_t>(start)) %
                        (pages_per_huge_page << page_shift);
    if (before < size)
        time_huge_page(start + before);
    if (!costs_of_pages.does_huge_pay())
        host::advise_huge(start, reserved, false);
}

void end_huge_pages(pageblock& block, bool all)
{
    if (step(block, huge_advice::given, all ? huge_advice::none : huge_advice::ended))
        host::advise_huge(block.start, pageblock_size, false);
    else if (all)
        step(block, huge_advice::ended, huge_advice::none);
}

bool had_huge_pages(const pageblock& block)
{
    return block.huge.load(std::memory_order_relaxed) >= huge_advice::given;
}

} // namespace bsl
