#include "model/model.hpp"

#include "heap/heap.hpp"
#include "model/actor.hpp"
#include "model/books.hpp"
#include "model/content.hpp"
#include "slab/size_class.hpp"

#include <algorithm>
#include <sys/wait.h>
#include <unistd.h>

namespace test
{

namespace
{

namespace heap = bsl::heap;

/// More would take time and memory and show nothing new.
constexpr std::size_t live_bytes_max = 384 * bsl::mib;

/// Operations of a forked child.
constexpr std::size_t child_operations = 300;

/// The most that may be usable of a request above 64 bytes: a quarter more.
std::size_t waste_limit(std::size_t size)
{
    return size + size / 4;
}

/// What malloc(size) must make usable at least and at most.
void check_size(std::size_t size, std::size_t usable)
{
    if (usable < size || (size > 64 && usable > waste_limit(size)))
        fail("%zu bytes usable of %zu", usable, size);
    if (size > bsl::kmalloc_size_max)
        return;
    const std::size_t most = bsl::class_size(bsl::class_of(size));
    if (size <= bsl::slab_size_max && usable != most)
        fail("%zu bytes usable of %zu: not the class's size", usable, size);
    // Whole pages, some more than are needed where the thread had such an object at hand.
    if (size > bsl::slab_size_max && (usable % bsl::bytes_per_page != 0 || usable > most))
        fail("%zu bytes usable of %zu: not of its class", usable, size);
}

void check_aligned_size(std::size_t size, std::size_t alignment, std::size_t usable)
{
    const std::size_t rounded =
        bsl::round_up(size == 0 ? 1 : size, std::min<std::size_t>(alignment, 4096));
    if (usable < size || (rounded > 64 && usable > waste_limit(rounded)))
        fail("%zu bytes usable of %zu, aligned to %zu", usable, size, alignment);
}

void check_alignment(const char* address, std::size_t alignment)
{
    if (reinterpret_cast<std::uintptr_t>(address) % std::max<std::size_t>(alignment, 16) != 0)
        fail("%p is not aligned to %zu", static_cast<const void*>(address), alignment);
}

} // namespace

model::model(bool may_fail) : may_fail_(may_fail) {}
model::~model() = default;

bool model::got(const void* p, std::size_t size) const
{
    if (p == nullptr && !may_fail_)
        fail("no memory for %zu bytes", size);
    return p != nullptr;
}

bool model::has_room(std::size_t size) const
{
    return live_bytes_ + size <= live_bytes_max;
}

/// A new live object; what it holds is overwritten.
void model::record(object& at, char* address, std::size_t usable)
{
    const auto after = live_.lower_bound(address);
    if (after != live_.end() && address + usable > after->first)
        fail("%p of %zu bytes overlaps %p", static_cast<void*>(address), usable,
             static_cast<const void*>(after->first));
    if (after != live_.begin()) {
        const auto before = std::prev(after);
        if (before->first + before->second > address)
            fail("%p overlaps %p of %zu bytes", static_cast<void*>(address),
                 static_cast<const void*>(before->first), before->second);
    }
    live_.emplace(address, usable);
    live_bytes_ += usable;
    at = {address, usable, next_key_++};
    write_content(address, usable, at.key);
}

void model::forget(const object& at)
{
    live_bytes_ -= at.usable;
    live_.erase(at.address);
}

void model::check_content(const object& at, std::size_t kept) const
{
    const std::size_t found = find_difference(at.address, at.usable, kept, at.key);
    if (found != no_difference)
        fail("%p of %zu bytes: content has changed at %zu", static_cast<void*>(at.address),
             at.usable, found);
}

void model::release(object& at)
{
    if (at.address == nullptr)
        return;
    check_content(at, at.usable);
    forget(at);
    heap::free(at.address);
    at = {};
}

void model::allocate(const operation& op, object& at)
{
    release(at);
    if (!has_room(op.size))
        return;
    const std::size_t alignment = std::size_t{1} << op.alignment_shift;
    void* p = nullptr;
    switch (op.what) {
    case action::calloc: {
        const std::size_t nr = op.size % 3 == 0 ? 3 : 1;
        p = heap::calloc(nr, op.size / nr);
        break;
    }
    case action::aligned_alloc:
        p = heap::aligned_alloc(alignment, op.size);
        break;
    default:
        p = heap::malloc(op.size);
        break;
    }
    if (!got(p, op.size))
        return;
    auto* address = static_cast<char*>(p);
    const std::size_t usable = heap::usable_size(p, "malloc_usable_size");
    if (op.what == action::aligned_alloc) {
        check_alignment(address, alignment);
        check_aligned_size(op.size, alignment, usable);
    } else {
        check_alignment(address, 16);
        check_size(op.size, usable);
    }
    if (op.what == action::calloc) {
        const std::size_t found = find_non_zero(address, op.size);
        if (found != no_difference)
            fail("calloc of %zu bytes at %p: not zero at %zu", static_cast<std::size_t>(op.size), p,
                 found);
    }
    record(at, address, usable);
}

void model::resize(const operation& op, object& at)
{
    if (!has_room(op.size) || (op.size == 0 && at.address == nullptr))
        return;
    object old = at;
    if (old.address != nullptr) {
        check_content(old, old.usable);
        forget(old);
    }
    auto* moved = static_cast<char*>(heap::realloc(old.address, op.size, "realloc"));
    if (op.size == 0) {
        if (moved != nullptr)
            fail("realloc to 0 bytes returned an object");
        at = {};
        return;
    }
    const bool served = got(moved, op.size);
    if (!served && old.address == nullptr)
        return;
    const std::size_t kept = served ? std::min<std::size_t>(old.usable, op.size) : old.usable;
    old.address = served ? moved : old.address;
    const std::size_t usable = heap::usable_size(old.address, "malloc_usable_size");
    if (!served && usable != old.usable)
        fail("a realloc that failed has changed %zu usable bytes to %zu", old.usable, usable);
    if (served && (usable < op.size || (op.size > 64 && usable > 2 * op.size)))
        fail("%zu bytes usable after realloc to %zu", usable, static_cast<std::size_t>(op.size));
    check_alignment(old.address, 16);
    check_content(old, kept);
    record(at, old.address, usable);
}

void model::query(const object& at)
{
    if (at.address == nullptr)
        return;
    const std::size_t usable = heap::usable_size(at.address, "malloc_usable_size");
    if (usable != at.usable)
        fail("%p has %zu usable bytes, had %zu", static_cast<void*>(at.address), usable, at.usable);
}

void model::run(const operation& op, object& at)
{
    switch (op.what) {
    case action::malloc:
    case action::calloc:
    case action::aligned_alloc:
        return allocate(op, at);
    case action::realloc:
        return resize(op, at);
    case action::free:
        return release(at);
    case action::usable_size:
        return query(at);
    case action::trim:
        heap::trim(op.size);
        return;
    case action::drain:
        return bsl::drain_all_threads();
    default:
        return;
    }
}

/// The thread ends with what it keeps; the next operation on it starts another.
void model::end_thread(unsigned thread)
{
    actors_[thread].reset();
}

/// The child has one thread and the objects of all.  It goes on with operations of its own, and its
/// books must balance in the end: what threads kept that are gone must be found again.
void model::fork_and_go_on(const operation& op)
{
    if (is_child_)
        return;
    const pid_t child = fork();
    if (child == 0) {
        is_child_ = true;
        for (operation& next : generate(op.size + op.slot, child_operations))
            apply(next);
        finish();
        _exit(0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        fail("a forked child failed: status %#x", static_cast<unsigned>(status));
}

void model::apply(const operation& op)
{
    object& at = objects_[op.slot % nr_slots];
    const unsigned thread = op.thread % nr_threads;
    if (op.what == action::validate)
        return validate_everything();
    if (op.what == action::fork)
        return fork_and_go_on(op);
    if (thread == 0 || is_child_)
        return run(op, at);
    if (op.what == action::exit_thread)
        return end_thread(thread);
    if (actors_[thread] == nullptr)
        actors_[thread] = std::make_unique<actor>();
    actors_[thread]->run([&] { run(op, at); });
}

void model::finish()
{
    for (object& at : objects_)
        release(at);
    for (unsigned thread = 0; thread < nr_threads && !is_child_; ++thread)
        end_thread(thread);
    heap::trim(0);
    check_books_balance();
}

} // namespace test
