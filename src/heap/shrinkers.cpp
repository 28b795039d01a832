#include "heap/shrinkers.hpp"

#include "host/thread.hpp"

#include <atomic>
#include <cstdint>

namespace bsl::heap
{

namespace
{

constexpr unsigned nr_shrinkers_max = 64;
constexpr unsigned long stop = ~0ul;
constexpr unsigned long nothing = ~0ul - 1;

constinit std::atomic<void*> slots[nr_shrinkers_max];
constinit std::atomic<const shrinker_call*> calls{nullptr};
constinit std::atomic<std::uintptr_t> runner{0};

/// What to ask a shrinker for that has so many objects: do_shrink_slab() in the kernel's mm/shrinker.c, which
/// leaves less than a batch for another time, unless it is all.
unsigned long part_of(unsigned long count, unsigned priority, unsigned long batch)
{
    const unsigned long part = priority == 0 ? count : (count >> priority) * 2;
    return part >= batch || part >= count ? part : 0;
}

std::size_t run(void* shrinker, const shrinker_call& how, unsigned priority)
{
    const unsigned long count = how.count(shrinker);
    if (count == nothing || count == stop)
        return 0;
    const unsigned long batch = how.batch(shrinker);
    unsigned long left = part_of(count, priority, batch);
    std::size_t freed = 0;
    while (left != 0) {
        const unsigned long wanted = left < batch ? left : batch;
        unsigned long scanned = wanted;
        const unsigned long n = how.scan(shrinker, wanted, &scanned);
        if (n == stop)
            break;
        freed += n;
        // One that claims to have looked at nothing is not asked for ever.
        left -= scanned == 0 || scanned > left ? left : scanned;
    }
    return freed;
}

} // namespace

bool add_shrinker(void* shrinker, const shrinker_call* how)
{
    calls.store(how, std::memory_order_release);
    for (auto& slot : slots) {
        void* expected = nullptr;
        if (slot.compare_exchange_strong(expected, shrinker, std::memory_order_acq_rel))
            return true;
    }
    return false;
}

void remove_shrinker(void* shrinker)
{
    for (auto& slot : slots) {
        void* expected = shrinker;
        if (slot.compare_exchange_strong(expected, nullptr, std::memory_order_seq_cst))
            break;
    }
    // A run that began before may have read the slot.
    while (runner.load(std::memory_order_seq_cst) != 0 &&
           runner.load(std::memory_order_relaxed) != host::thread_pointer())
        host::yield();
}

std::size_t run_shrinkers(unsigned priority)
{
    std::uintptr_t nobody = 0;
    const shrinker_call* how = calls.load(std::memory_order_acquire);
    if (how == nullptr ||
        !runner.compare_exchange_strong(nobody, host::thread_pointer(), std::memory_order_seq_cst))
        return 0;
    std::size_t freed = 0;
    for (auto& slot : slots) {
        if (void* shrinker = slot.load(std::memory_order_seq_cst))
            freed += run(shrinker, *how, priority);
    }
    runner.store(0, std::memory_order_seq_cst);
    return freed;
}

bool shrinkers_run()
{
    return runner.load(std::memory_order_relaxed) != 0;
}

void reset_shrinkers_in_child()
{
    if (runner.load(std::memory_order_relaxed) != host::thread_pointer())
        runner.store(0, std::memory_order_relaxed);
}

} // namespace bsl::heap
