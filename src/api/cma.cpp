#include <buddyslab/cma.h>

#include "api/start.hpp"
#include "arena/arena.hpp"
#include "base/bitops.hpp"
#include "base/format.hpp"
#include "slab/misuse.hpp"
#include "vmalloc/cma.hpp"

#include <cerrno>

namespace
{

bsl::cma& from_public(bsl_cma* area)
{
    return *reinterpret_cast<bsl::cma*>(area);
}

const bsl::cma& from_public(const bsl_cma* area)
{
    return *reinterpret_cast<const bsl::cma*>(area);
}

bsl_page* fail(int error)
{
    errno = error;
    return nullptr;
}

bool is_valid(const bsl::cma_request& request)
{
    const std::size_t unit =
        request.alignment > bsl::pageblock_size ? request.alignment : bsl::pageblock_size;
    return request.size != 0 && request.size % bsl::pageblock_size == 0 &&
           request.size <= PTRDIFF_MAX && bsl::is_power_of_2(unit) && unit <= PTRDIFF_MAX / 2 &&
           request.order_per_bit <= bsl::max_page_order && request.base % unit == 0 &&
           (!request.fixed || request.base != 0) &&
           (request.limit == 0 ||
            (request.size <= request.limit && request.base <= request.limit - request.size));
}

[[noreturn]] void report_not_used(const void* start, unsigned long count)
{
    bsl::format<256> line;
    bsl::begin_bug(line, "cma_release", start).text("not in use: of these ").decimal(count);
    bsl::report_bug(line.text(count == 1 ? " page" : " pages").text(" some are free already"));
}

} // namespace

int bsl_cma_declare_contiguous(size_t base, size_t size, size_t limit, size_t alignment,
                               unsigned order_per_bit, int fixed, const char* name,
                               bsl_cma** area) noexcept
{
    const bsl::cma_request request{base, size, limit, alignment, order_per_bit, fixed != 0, name};
    if ((alignment != 0 && !bsl::is_power_of_2(alignment)) || !is_valid(request))
        return -EINVAL;
    bsl::cma* made = bsl::declare_contiguous(request);
    if (made == nullptr)
        return -ENOMEM;
    *area = reinterpret_cast<bsl_cma*>(made);
    return 0;
}

bsl_page* bsl_cma_alloc(bsl_cma* area, unsigned long count, unsigned align, int) noexcept
{
    if (count == 0)
        return fail(EINVAL);
    bsl::page* first = bsl::cma_alloc(from_public(area), count, align);
    return first == nullptr ? fail(ENOMEM) : reinterpret_cast<bsl_page*>(first);
}

int bsl_cma_release(bsl_cma* area, const bsl_page* pages, unsigned long count) noexcept
{
    if (pages == nullptr || count == 0)
        return 0;
    auto& first = reinterpret_cast<bsl::page&>(const_cast<bsl_page&>(*pages));
    char* start = bsl::page_address(first);
    switch (bsl::cma_release(from_public(area), start, count)) {
    case bsl::cma_release_result::released:
        return 1;
    case bsl::cma_release_result::not_here:
        return 0;
    case bsl::cma_release_result::not_used:
        break;
    }
    report_not_used(start, count);
}

void* bsl_cma_get_base(const bsl_cma* area) noexcept
{
    return from_public(area).start;
}

size_t bsl_cma_get_size(const bsl_cma* area) noexcept
{
    return from_public(area).pages << bsl::page_shift;
}

const char* bsl_cma_get_name(const bsl_cma* area) noexcept
{
    return from_public(area).name;
}
