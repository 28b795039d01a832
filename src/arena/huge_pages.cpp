#include "arena/huge_pages.hpp"

#include "host/vm.hpp"

namespace bsl
{

namespace
{

/// True for the one thread that takes the step.
bool step(pageblock& block, huge_advice from, huge_advice to)
{
    if (block.huge.load(std::memory_order_relaxed) != from) [[likely]]
        return false;
    return block.huge.compare_exchange_strong(from, to, std::memory_order_relaxed);
}

} // namespace

bool ask_for_huge_pages(pageblock& block)
{
    if (step(block, huge_advice::due, huge_advice::given))
        host::advise_huge(block.start, pageblock_size, true);
    return block.huge.load(std::memory_order_relaxed) == huge_advice::given;
}

void end_huge_pages(pageblock& block)
{
    if (step(block, huge_advice::given, huge_advice::none))
        host::advise_huge(block.start, pageblock_size, false);
}

} // namespace bsl
