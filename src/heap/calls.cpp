#include "heap/calls.hpp"

#include "config/params.hpp"
#include "slab/size_class.hpp"

namespace bsl::heap
{

constinit counts_of_calls<std::atomic<std::size_t>> calls{};
constinit class_requests requests[nr_classes];

constinit bool calls_are_counted = false;

void set_up_counting()
{
    calls_are_counted =
        param.count_requests != 0 || (param.report != 0 && param.report_format == 0);
}

void count_request(unsigned size_class, std::size_t size)
{
    if (size_class >= nr_classes)
        return;
    requests[size_class].nr.fetch_add(1, std::memory_order_relaxed);
    requests[size_class].bytes.fetch_add(size, std::memory_order_relaxed);
    const std::size_t given =
        size_class < nr_slab_classes ? class_size(size_class) : round_up(size, bytes_per_page);
    requests[size_class].given.fetch_add(given, std::memory_order_relaxed);
}

void count(std::atomic<std::size_t>& counter, std::size_t size)
{
    if (!counts_calls()) [[likely]]
        return;
    count(counter);
    count_request(size > kmalloc_size_max ? nr_classes : class_of(size), size);
}

call_counts counted_calls()
{
    constexpr auto relaxed = std::memory_order_relaxed;
    return {calls.malloc.load(relaxed), calls.calloc.load(relaxed), calls.realloc.load(relaxed),
            calls.aligned.load(relaxed), calls.free.load(relaxed)};
}

} // namespace bsl::heap
