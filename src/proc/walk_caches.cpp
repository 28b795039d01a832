#include "base/format.hpp"
#include "proc/walker.hpp"

#include <cstring>

namespace bsl
{

// --- which caches there are --------------------------------------------------------------------

namespace
{

/// Names stand in files that others parse: what could end a word there becomes '_', what is not ASCII '?'.
char harmless(char c)
{
    const auto code = static_cast<unsigned char>(c);
    return code <= ' ' || code == 0x7f || c == '"' || c == '\\' ? '_' : code > 0x7f ? '?' : c;
}

void copy_name(char* to, std::string_view from)
{
    for (const char c : from)
        *to++ = harmless(c);
}

/// A cache of the allocator's own has room for what is read from it.
std::size_t least_size(unsigned cache)
{
    switch (static_cast<own_cache>(cache - nr_classes)) {
    case own_cache::thread_heap:
        return sizeof(thread_heap);
    case own_cache::vm_area:
        return sizeof(vm_area);
    default:
        return malloc_alignment;
    }
}

} // namespace

bool walker::read_caches()
{
    if (!read_array(root_.caches, space_.caches) || !read_array(root_.requests, space_.requests))
        return false;
    for (unsigned c = 1; c < nr_caches; ++c) {
        const kmem_cache& cache = *space_.caches[c];
        cache_figures& figures = to_.caches[c];
        if (cache.size() < least_size(c) || cache.size() > kmalloc_size_max) {
            is_torn_ = true; // nothing can be said of its slabs
            continue;
        }
        copy_name(figures.name, look::name(cache));
        figures.size = cache.size();
        figures.is_own = c >= nr_classes;
        figures.is_single = cache.is_single();
        if (c < nr_classes) {
            figures.nr_requests = space_.requests[c]->nr.load(std::memory_order_relaxed);
            figures.requested_bytes = space_.requests[c]->bytes.load(std::memory_order_relaxed);
            figures.given_bytes = space_.requests[c]->given.load(std::memory_order_relaxed);
        }
    }
    return read_program_caches();
}

bool walker::read_program_caches()
{
    if (!read_array(root_.program_caches, space_.programs))
        return false;
    for (unsigned slot = 0; slot < nr_program_caches_max; ++slot) {
        if (space_.programs[slot] == 0)
            continue;
        if (!from_.read_object(space_.programs[slot], space_.program))
            return false;
        read_program_cache(slot);
    }
    return true;
}

bool walker::is_taken(const char* name, unsigned number) const
{
    for (unsigned c = 1; c < number; ++c) {
        if (to_.caches[c].size != 0 && std::strcmp(to_.caches[c].name, name) == 0)
            return true;
    }
    return false;
}

/// The one in space_.program.  Some fields may be of the cache that was there before.
void walker::read_program_cache(unsigned slot)
{
    const program_cache& cache = *space_.program;
    if (cache.users == 0 || cache.size() < malloc_alignment || cache.size() > kmalloc_size_max)
        return;
    const unsigned number = nr_caches + slot;
    cache_figures& figures = to_.caches[number];
    figures.size = cache.size();
    figures.is_single = cache.is_single();
    const std::string_view name = look::name(cache);
    copy_name(figures.name, name);
    // Somebody may have called another cache by this one's name and number.
    for (unsigned n = slot; figures.name[0] == '\0' || is_taken(figures.name, number);
         n += nr_program_caches_max) {
        format<8> suffix;
        suffix.text("#").decimal(n);
        std::memcpy(figures.name + name.size(), suffix.c_str(), suffix.view().size() + 1);
    }
    char* to = to_.aliases[slot];
    const char* from = cache.aliases();
    for (std::size_t i = 0; i + 2 < program_cache::aliases_size; ++i)
        to[i] = from[i] == '\0' ? '\0' : harmless(from[i]);
}

// --- sheaves -----------------------------------------------------------------------------------

/// Objects below `top`, or below what the sheaf itself says.
template <typename Fn>
unsigned walker::walk_sheaf(std::uintptr_t at, const void* top, Fn each)
{
    const std::uintptr_t slots = at + offsetof(sheaf, slot);
    if (at % sheaf_size != 0 || !from_.read_object(at, space_.full)) {
        std::memset(space_.full.bytes, 0, sizeof space_.full);
        return 0;
    }
    const sheaf& s = *space_.full;
    const std::uintptr_t end = address_of(top != nullptr ? top : s.top);
    if (end < slots || end > at + sheaf_size)
        return 0;
    unsigned n = 0;
    for (std::size_t i = (end - slots) / sizeof(void*); i != 0; --i) {
        const void* object = s.slot[i - 1].load(std::memory_order_relaxed);
        if (object == nullptr)
            break;
        ++n;
        each(address_of(object));
    }
    return n;
}

template <typename Fn>
unsigned walker::walk_bin(const bin& of, Fn each)
{
    const object_slot* top = of.top.load(std::memory_order_relaxed);
    const std::uintptr_t in = round_down(address_of(top) - sizeof *top, sheaf_size);
    return in == address_of(root_.no_sheaf) ? 0 : walk_sheaf(in, top, each);
}

/// A stack may change while we follow it.
template <typename Fn>
unsigned walker::walk_stack(const sheaf_stack& stack, Fn each)
{
    const std::size_t size = smaller(stack.size(), thread_class_sheaves_max);
    const sheaf* at = stack.first();
    unsigned sum = 0;
    for (std::size_t i = 0; i < size && at != nullptr; ++i) {
        sum += walk_sheaf(address_of(at), nullptr, each);
        at = space_.full->next;
    }
    return sum;
}

// --- threads -----------------------------------------------------------------------------------

void walker::walk_thread(std::uintptr_t at)
{
    if (!from_.read_object(at, space_.thread))
        return;
    const thread_heap& heap = *space_.thread;
    to_.nr_threads += !heap.is_orphan;
    walk_thread_classes(heap, at);
    walk_thread_programs(heap, at);
    const std::size_t nr_listed = walk_thread_pages(heap, at);
    to_.nr_listed_pages += nr_listed;
    if (seen_.thread != nullptr)
        seen_.thread(seen_.context, at, heap, nr_listed);
}

void walker::walk_thread_classes(const thread_heap& heap, std::uintptr_t at)
{
    for (unsigned c = 1; c < nr_slab_classes; ++c) {
        const auto each = [&](std::uintptr_t object) {
            if (seen_.cached != nullptr)
                seen_.cached(seen_.context, object, c, at, 0);
        };
        to_.caches[c].nr_cached += walk_bin(look::bins_of(heap).of_class[c], each);
        to_.caches[c].nr_cached += walk_stack(look::full_sheaves(heap, c), each);
    }
}

/// The bin of a slot; nullptr: it is in a chunk that the thread does not have.
const bin* walker::bin_of_slot(const thread_bins& bins, unsigned slot)
{
    if (slot < nr_near_caches)
        return &bins.of_class[nr_slab_classes + slot];
    const unsigned in_chunk = slot % bin_chunk::nr;
    const bin_chunk* chunk = bins.far[far_chunk(slot)].load(std::memory_order_relaxed);
    const std::uintptr_t at =
        address_of(chunk) + offsetof(bin_chunk, of_cache) + in_chunk * sizeof(bin);
    if (chunk == nullptr || !from_.read_object(at, space_.one_bin))
        return nullptr;
    return &*space_.one_bin;
}

void walker::walk_thread_programs(const thread_heap& heap, std::uintptr_t at)
{
    for (unsigned slot = 0; slot < nr_program_caches_max; ++slot) {
        const unsigned number = nr_caches + slot;
        const bin* mine =
            to_.caches[number].size == 0 ? nullptr : bin_of_slot(look::bins_of(heap), slot);
        if (mine == nullptr)
            continue;
        to_.caches[number].nr_cached += walk_bin(*mine, [&](std::uintptr_t object) {
            if (seen_.cached != nullptr)
                seen_.cached(seen_.context, object, number, at, 0);
        });
    }
}

void walker::show_listed(std::uintptr_t block, unsigned order, std::uintptr_t thread)
{
    if (seen_.listed != nullptr)
        seen_.listed(seen_.context, block, order, thread);
}

/// Free pages that a thread keeps: blocks in its page list, and in front of that bins of struct pages.
std::size_t walker::walk_thread_pages(const thread_heap& heap, std::uintptr_t at)
{
    std::size_t sum = 0;
    const pageset& pages = look::pages_of(heap);
    for (unsigned order = 0; order < nr_pageset_orders; ++order) {
        const auto nr = smaller(look::nr_blocks(pages, order), pageset_capacity);
        for (unsigned i = 0; i < nr; ++i)
            show_listed(address_of(look::block(pages, order, i)), order, at);
        sum += nr << order;
        const auto each = [&](std::uintptr_t first) {
            page copy{};
            if (seen_.listed != nullptr && from_.read_object(first, copy))
                show_listed(address_of(copy.start), order, at);
        };
        sum += std::size_t{walk_bin(look::bins_of(heap).frames[order], each)} << order;
    }
    return sum;
}

// --- barns -------------------------------------------------------------------------------------

bool walker::walk_barn(std::uintptr_t node, unsigned cache, unsigned shard)
{
    if (node == 0)
        return true;
    if (!from_.read_object(node, space_.node))
        return false;
    const auto each = [&](std::uintptr_t object) {
        if (seen_.cached != nullptr)
            seen_.cached(seen_.context, object, cache, 0, shard);
    };
    to_.caches[cache].nr_cached += walk_stack(look::full_sheaves(space_.node->sheaves), each);
    return true;
}

bool walker::walk_barns()
{
    const node_table* table = nullptr;
    if (!read(root_.nodes, table) || !read_array(table, space_.nodes))
        return false;
    for (unsigned shard = 0; shard < nr_shards_max; ++shard) {
        for (unsigned c = 1; c < nr_slab_classes; ++c) {
            if (!walk_barn(space_.nodes[shard][c], c, shard))
                return false;
        }
    }
    for (unsigned slot = 0; slot < nr_program_caches_max; ++slot) {
        if (to_.caches[nr_caches + slot].size == 0)
            continue;
        if (!from_.read_object(space_.programs[slot], space_.program))
            return false;
        for (unsigned shard = 0; shard < nr_shards_max; ++shard) {
            const auto* node = space_.program->nodes[shard].load(std::memory_order_relaxed);
            if (!walk_barn(address_of(node), nr_caches + slot, shard))
                return false;
        }
    }
    return true;
}

} // namespace bsl
