#include <buddyslab/shrinker.h>

#include "api/start.hpp"
#include "heap/shrinkers.hpp"

#include <cerrno>

namespace
{

constexpr unsigned long default_batch = 128; // as the kernel's

unsigned long count(void* shrinker)
{
    auto* s = static_cast<bsl_shrinker*>(shrinker);
    bsl_shrink_control control{BSL_GFP_KERNEL, 0, 0};
    return s->count_objects(s, &control);
}

unsigned long scan(void* shrinker, unsigned long nr, unsigned long* nr_scanned)
{
    auto* s = static_cast<bsl_shrinker*>(shrinker);
    bsl_shrink_control control{BSL_GFP_KERNEL, nr, nr};
    const unsigned long freed = s->scan_objects(s, &control);
    *nr_scanned = control.nr_scanned;
    return freed;
}

unsigned long batch(const void* shrinker)
{
    const unsigned long own = static_cast<const bsl_shrinker*>(shrinker)->batch;
    return own != 0 ? own : default_batch;
}

constexpr bsl::heap::shrinker_call how{count, scan, batch};

} // namespace

int bsl_register_shrinker(bsl_shrinker* shrinker) noexcept
{
    if (shrinker->count_objects == nullptr || shrinker->scan_objects == nullptr)
        return -EINVAL;
    return bsl::heap::add_shrinker(shrinker, &how) ? 0 : -ENOSPC;
}

void bsl_unregister_shrinker(bsl_shrinker* shrinker) noexcept
{
    bsl::heap::remove_shrinker(shrinker);
}
