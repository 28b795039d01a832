#include "heap/windows.hpp"

#include "arena/arena.hpp"
#include "arena/mem_section.hpp"
#include "base/format.hpp"
#include "buddy/zonelist.hpp"
#include "heap/allocation.hpp"
#include "heap/heap.hpp"
#include "heap/registry.hpp"
#include "host/vm.hpp"
#include "slab/misuse.hpp"

#include <cerrno>

namespace bsl::heap
{

namespace
{

bool set_guard(vm_area& window)
{
    const std::size_t page = host::page_size();
    window.has_guard = host::close(window.start + window.size - page, page);
    return window.has_guard;
}

pageblock* release_block(zone& from)
{
    mutex_guard guard(from.lock);
    return from.release_block();
}

void put_back(zone& to, pageblock& block)
{
    mutex_guard guard(to.lock);
    to.add_block(block);
}

/// Gives addresses of wholly free pageblocks back, so that a window may have them; as long as the kernel takes them.
bool release_free_blocks()
{
    bool any = false;
    bool is_taken = true;
    for_each_malloc_zone([&](zone& from) {
        pageblock* block = nullptr;
        while (is_taken && (block = release_block(from)) != nullptr) {
            is_taken = take_offline(*block);
            any = any || is_taken;
            if (!is_taken)
                put_back(from, *block);
        }
    });
    return any;
}

} // namespace

void* alloc_window(std::size_t size, std::size_t alignment, bool zeroed)
{
    if (size > PTRDIFF_MAX - pageblock_size || alignment > PTRDIFF_MAX / 2)
        return nullptr;
    if (void* p = vmalloc(size, alignment, zeroed))
        return p;
    drain_all_threads();
    release_windows();
    if (void* p = vmalloc(size, alignment, zeroed))
        return p;
    return release_free_blocks() ? vmalloc(size, alignment, zeroed) : nullptr;
}

vm_area* window_at(const void* p)
{
    return owner_of(p).window;
}

bool drop_guard(vm_area& window)
{
    if (!window.has_guard)
        return true;
    const std::size_t page = host::page_size();
    char* const guard = window.start + window.size - page;
    if (!host::commit(guard, page)) {
        release_windows();
        if (!release_free_blocks() || !host::commit(guard, page))
            return false;
    }
    window.has_guard = false;
    return true;
}

void* guarded_window(std::size_t size, bool zeroed)
{
    const int saved = errno;
    void* p = size > PTRDIFF_MAX - 2 * pageblock_size
                  ? nullptr
                  : alloc_window(round_up(size, host::page_size()) + host::page_size(),
                                 bytes_per_page, zeroed);
    vm_area* window = p == nullptr ? nullptr : window_at(p);
    errno = saved;
    if (window != nullptr && set_guard(*window))
        return p;
    if (p != nullptr)
        free_for(p, "vmalloc");
    errno = ENOMEM;
    return nullptr;
}

void* resize_guarded_window(void* p, std::size_t size)
{
    const allocation old = resolve(p, "vrealloc");
    void* moved = nullptr;
    if (size <= PTRDIFF_MAX - 2 * pageblock_size && drop_guard(*old.window)) {
        moved = vrealloc(*old.window, round_up(size, host::page_size()) + host::page_size());
    }
    // Without its guard it is still a window: where the system refuses one now, that is all.
    set_guard(moved != nullptr ? *window_at(moved) : *old.window);
    if (moved == nullptr)
        errno = ENOMEM;
    return moved;
}

void report_window(const char* call, const void* p)
{
    const vm_area& window = *window_at(p);
    format<256> line;
    begin_bug(line, call, p).text("memory of vmalloc, which vfree takes back: ");
    line.decimal(static_cast<std::size_t>(static_cast<const char*>(p) - window.start));
    report_bug(line.text(" bytes into window ").pointer(window.start));
}

void report_no_window(const char* call, const void* p)
{
    const allocation what =
        resolve(p, call); // says what it is, unless it is something of kmalloc's
    format<256> line;
    begin_bug(line, call, p).text("not from vmalloc: ").decimal(what.size);
    report_bug(line.text(" bytes of kmalloc, which kfree takes back"));
}

} // namespace bsl::heap
