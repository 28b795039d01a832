/*
 * What is at an address: from the arena down to the byte.
 */
#include "tool/commands.hpp"
#include "tool/target.hpp"

#include "heap/private_heap.hpp"
#include "slab/heap_slab.hpp"
#include "slab/slab.hpp"

#include <cstdio>
#include <cstring>
#include <optional>

namespace bsl::tool
{

namespace
{

/// The pageblock that has the address, as the walk saw it.
struct seen_block
{
    copy_of<pageblock> block;
    std::vector<page_note> notes;
    std::vector<page> pages;
};

struct holder
{
    std::uintptr_t thread; ///< 0: a barn
    unsigned shard;
};

/// Everything that a walk finds out about one address.
struct inquiry
{
    std::uintptr_t address = 0;
    std::optional<seen_block> block;
    std::optional<copy_of<vm_area>> window;
    std::vector<std::pair<std::uintptr_t, holder>> cached; ///< in the neighbourhood
    std::uintptr_t listed_by = 0; ///< the thread that keeps the page, if one does

    bool is_near(std::uintptr_t at) const { return at <= address && address - at < pageblock_size; }
};

visitor questions(inquiry& about)
{
    visitor v{};
    v.context = &about;
    v.block = [](void* context, const pageblock& copy, const page_note* notes, const page* pages) {
        auto& mine = *static_cast<inquiry*>(context);
        if (!mine.is_near(address_of(copy.start)))
            return;
        mine.block.emplace();
        std::memcpy(mine.block->block.bytes, &copy, sizeof copy);
        mine.block->notes.assign(notes, notes + pages_per_pageblock);
        mine.block->pages.assign(pages, pages + pages_per_pageblock);
    };
    v.window = [](void* context, std::uintptr_t, const vm_area& copy) {
        auto& mine = *static_cast<inquiry*>(context);
        if (mine.address - address_of(copy.start) >= copy.reserved)
            return;
        mine.window.emplace();
        std::memcpy(mine.window->bytes, &copy, sizeof copy);
    };
    v.listed = [](void* context, std::uintptr_t block, unsigned order, std::uintptr_t thread) {
        auto& mine = *static_cast<inquiry*>(context);
        if (mine.address - block < nr_pages(order) << page_shift)
            mine.listed_by = thread;
    };
    v.cached = [](void* context, std::uintptr_t object, unsigned, std::uintptr_t thread,
                  unsigned shard) {
        auto& mine = *static_cast<inquiry*>(context);
        if (mine.is_near(object))
            mine.cached.push_back({object, {thread, shard}});
    };
    return v;
}

unsigned long long number(std::uintptr_t n)
{
    return n;
}

void line(const char* name, const std::string& what)
{
    std::printf("  %-10s%s\n", name, what.c_str());
}

template <typename... Values>
std::string text(const char* form, Values... values)
{
    char buffer[256];
    std::snprintf(buffer, sizeof buffer, form, values...);
    return buffer;
}

void print_arena(target& of, const inquiry& about, const snapshot& heap)
{
    for (std::size_t i = 0; i < heap.nr_arenas; ++i) {
        const arena& a = of.space().arenas[i];
        const std::uintptr_t start = address_of(a.start);
        if (about.address - start >= a.nr_blocks * pageblock_size)
            continue;
        line("arena",
             text("%zu of %zu, %#llx - %#llx, %zu pageblocks, zone %s of node %u", i,
                  heap.nr_arenas, number(start), number(start + a.nr_blocks * pageblock_size),
                  a.nr_blocks, std::string(name_of_zone(a.zone)).c_str(), node_of_zone(a.zone)));
    }
}

void print_page(const inquiry& about, unsigned index)
{
    static constexpr const char* types[] = {"slab", "run", "none: wholly free"};
    const pageblock& block = *about.block->block;
    const auto type = static_cast<unsigned>(block.type);
    line("pageblock", text("%#llx, type %s, %u of %zu pages free", number(address_of(block.start)),
                           types[type < nr_migrate_types ? type : nr_migrate_types - 1],
                           static_cast<unsigned>(block.nr_free), pages_per_pageblock));
    line("page", text("%u of the pageblock, %s", index,
                      about.block->notes[index].is_resident ? "resident" : "holds no memory"));
}

/// Where the object is, if not with the program.
std::string state_of_object(const inquiry& about, const page& head, const page& word_page,
                            unsigned index, bool is_single, std::uintptr_t object)
{
    const std::uint64_t word = word_page.free_objects[index % objects_per_page_max / 64];
    if ((word & bit_in_word(index)) != 0)
        return "free, in its slab";
    if (is_single && head.free_objects[parked_word] != 0)
        return "free, kept by a thread";
    for (const auto& [at, by] : about.cached) {
        if (at != object)
            continue;
        return by.thread != 0
                   ? text("free, in a sheaf of the thread heap at %#llx", number(by.thread))
                   : text("free, in a sheaf of the barn of shard %u", by.shard);
    }
    return "in use";
}

std::string other_names(const snapshot& heap, const cache_figures& cache)
{
    std::string all;
    heap.for_each_alias(cache, [&all](std::string_view name) {
        all += all.empty() ? ", also serves as " : ", ";
        all += name;
    });
    return all;
}

void explain_object(target& of, const inquiry& about, const snapshot& heap, unsigned head_index)
{
    const page& head = about.block->pages[head_index];
    const cache_figures& cache = heap.caches[head.cache];
    const std::uintptr_t start = address_of(head.start);
    const std::uintptr_t first = start + head.colour * malloc_alignment;
    const std::size_t pages = pages_of_slab(head, cache);
    const auto objects = objects_of_slab(pages, cache);
    const std::size_t index =
        about.address < first ? objects : (about.address - first) / cache.size;
    const auto page_index = static_cast<unsigned>(
        (about.address - address_of(about.block->block->start)) >> page_shift);
    const bool is_object = index < objects;
    const std::uintptr_t object = first + index * cache.size;
    std::string state;
    if (is_object) {
        const auto i = static_cast<unsigned>(index);
        const page& word_page = about.block->pages[head_index + i / objects_per_page_max];
        state = state_of_object(about, head, word_page, i, cache.is_single, object);
        std::printf("%#llx: %llu bytes into object %u of cache %s, which is %s%s\n",
                    number(about.address), number(about.address - object), i, cache.name,
                    state.c_str(), cache.is_own ? " (by the allocator itself)" : "");
    } else {
        std::printf("%#llx: beside the objects of a slab of cache %s\n", number(about.address),
                    cache.name);
    }
    print_arena(of, about, heap);
    print_page(about, page_index);
    line("slab",
         text("%#llx, %zu pages (order %u), %u objects, %u free, home shard %u", number(start),
              pages, unsigned{head.order}, objects, unsigned{head.nr_free}, unsigned{head.shard}));
    line("cache", cache.name +
                      text(": objects of %s%zu bytes", cache.size > slab_size_max ? "up to " : "",
                           cache.size) +
                      other_names(heap, cache));
    if (!is_object)
        return;
    line("object", text("%zu, at %#llx", index, number(object)));
    line("offset", text("%llu", number(about.address - object)));
    line("state", state);
}

/// Of a run, of page frames, or of a private heap.
bool speaks_of_pages(const page& p)
{
    return p.state != page_state::free && p.state != page_state::slab;
}

bool is_slab_of_heap(const page& p)
{
    return p.state == page_state::heap && is_heap_slab(p);
}

/// The first page of what a page belongs to: slabs of many objects are aligned blocks, and every page
/// says so; of large objects and runs the first page alone speaks.
unsigned head_of(const inquiry& about, unsigned index, page_state state)
{
    const std::vector<page>& pages = about.block->pages;
    if (((state == page_state::slab && about.block->notes[index].use != page_role::single) ||
         is_slab_of_heap(pages[index])) &&
        pages[index].order <= max_page_order)
        return index & ~(static_cast<unsigned>(nr_pages(pages[index].order)) - 1);
    const auto is_head = [state](const page& p) {
        return state == page_state::slab ? p.state == state : speaks_of_pages(p);
    };
    unsigned at = index;
    while (at != 0 && !is_head(pages[at]))
        --at;
    return at;
}

/// Of a slab, as the walk noted it?  The copy of its struct pages may be torn.
bool is_head_of(const inquiry& about, const snapshot& heap, unsigned head_index, unsigned index)
{
    const page& head = about.block->pages[head_index];
    if (head.order > max_page_order || head.cache != about.block->notes[index].cache)
        return false;
    const cache_figures& cache = heap.caches[head.cache];
    const std::size_t pages = pages_of_slab(head, cache);
    return index - head_index < pages && head_index + pages <= pages_per_pageblock;
}

void explain_other_page(target& of, const inquiry& about, const snapshot& heap, unsigned index)
{
    std::string what = "a page on its way from one to another";
    if (about.listed_by != 0)
        what = text("a free page, kept by the thread heap at %#llx", number(about.listed_by));
    for (unsigned i = 0; i <= index; ++i) {
        const page& p = about.block->pages[i];
        if (p.state == page_state::free && p.lru.next != nullptr && p.start != nullptr &&
            index - i < p.nr_run_pages)
            what = "the home of a page frame that is lent to a window";
    }
    std::printf("%#llx: %s\n", number(about.address), what.c_str());
    print_arena(of, about, heap);
    print_page(about, index);
}

// --- private heaps -----------------------------------------------------------------------------

/// Lists of slabs are as long as heaps are large; names are not worth more than a moment.
constexpr unsigned list_steps_max = 1 << 16;

/// The descriptor is the only one in the list of a heap's slabs, runs or windows that is none of these.
std::string name_of_heap(const target& of, const list_head* at, std::uint32_t number)
{
    const memory_source& from = of.memory();
    list_head node{};
    for (unsigned i = 0; at != nullptr && i < list_steps_max; ++i, at = node.next) {
        const std::uintptr_t place = round_down(address_of(at), heap::heap_descriptor_size);
        copy_of<heap::private_heap> copy;
        if (from.read_object(place, copy) && copy->number == number &&
            round_down(copy->handle.load(std::memory_order_relaxed), heap::heap_descriptor_size) ==
                place)
            return printable({copy->name, strnlen(copy->name, sizeof copy->name)});
        if (!from.read_object(address_of(at), node))
            break;
    }
    return "";
}

/// "number 3, request"
std::string spelled_heap(const target& of, const list_head& link, std::uint32_t number)
{
    const std::string name = name_of_heap(of, link.next, number);
    return text("number %u", number) + (name.empty() ? "" : ", " + name);
}

/// An object that the heap cut out of pages of its own.
bool explain_heap_object(target& of, const inquiry& about, const snapshot& heap, unsigned index)
{
    const unsigned head_index = head_of(about, index, page_state::heap);
    const page& head = about.block->pages[head_index];
    const std::uintptr_t start =
        address_of(about.block->block->start) + (std::uintptr_t{head_index} << page_shift);
    if (!is_slab_of_heap(head) || head.colour >= nr_heap_classes ||
        head.order >= nr_pageset_orders || address_of(head.start) != start)
        return false; // the pages of a slab that is being made or taken down
    const heap_slab_layout& layout = heap_layouts[head.colour];
    const unsigned objects = layout.objects_in[head.order];
    const auto [number_of_object, offset, is_object] =
        locate_in_heap_slab(head, reinterpret_cast<const void*>(about.address));
    const unsigned word = number_of_object / 64;
    const bool is_free = is_object && word < std::size(head.free_objects) &&
                         (head.free_objects[word] & bit_in_word(number_of_object)) != 0;
    const char* state = is_free ? "free" : "in use";
    const std::string owner = spelled_heap(of, head.lru, heap_number(head));
    if (is_object)
        std::printf("%#llx: %u bytes into object %u of a private heap, which is %s\n",
                    number(about.address), offset, number_of_object, state);
    else
        std::printf("%#llx: beside the objects of a slab of a private heap\n",
                    number(about.address));
    print_arena(of, about, heap);
    print_page(about, index);
    line("slab",
         text("%#llx, %zu pages (order %u), %u objects, %u free", number(start),
              nr_pages(head.order), unsigned{head.order}, objects, nr_free_in_heap_slab(head)));
    line("heap", owner);
    line("class", text("objects of %u bytes", layout.size));
    if (!is_object)
        return true;
    line("object", text("%u, at %#llx", number_of_object, number(about.address - offset)));
    line("offset", text("%u", offset));
    line("state", state);
    return true;
}

/// Pages in one piece, of which the first speaks; it may lie in a pageblock before this one.
void explain_run(target& of, const inquiry& about, const snapshot& heap, unsigned index)
{
    const page& head = about.block->pages[head_of(about, index, page_state::run)];
    const bool is_known = speaks_of_pages(head);
    const char* what = head.state == page_state::frame ? "a block of page frames, which is in use"
                       : head.state == page_state::reserve
                           ? "a block of page frames, which is free, in the reserve for GFP_ATOMIC"
                       : head.state == page_state::heap ? "pages of a private heap"
                                                        : "a run of pages, which is in use";
    if (is_known)
        std::printf("%#llx: %llu bytes into %s\n", number(about.address),
                    number(about.address - address_of(head.start)), what);
    else
        std::printf("%#llx: in a run of pages, which is in use\n", number(about.address));
    print_arena(of, about, heap);
    print_page(about, index);
    if (is_known)
        line("run",
             text("%#llx, %zu pages", number(address_of(head.start)), nr_pages_from_copy(head)));
    if (head.state == page_state::heap)
        line("heap", spelled_heap(of, head.lru, heap_number(head)));
}

void explain_page(target& of, const inquiry& about, const snapshot& heap)
{
    const auto index = static_cast<unsigned>(
        (about.address - address_of(about.block->block->start)) >> page_shift);
    switch (about.block->notes[index].use) {
    case page_role::slab:
    case page_role::own_slab:
    case page_role::single:
        if (const unsigned head = head_of(about, index, page_state::slab);
            is_head_of(about, heap, head, index))
            explain_object(of, about, heap, head);
        else
            explain_other_page(of, about, heap, index);
        return;
    case page_role::run:
    case page_role::reserve:
        if (is_slab_of_heap(about.block->pages[index]) &&
            explain_heap_object(of, about, heap, index))
            return;
        explain_run(of, about, heap, index);
        return;
    case page_role::free_clean:
    case page_role::free_resident:
        std::printf("%#llx: a free page\n", number(about.address));
        print_arena(of, about, heap);
        print_page(about, index);
        return;
    default:
        explain_other_page(of, about, heap, index);
    }
}

void explain_window(const target& of, const inquiry& about)
{
    const vm_area& area = **about.window;
    const std::size_t offset = about.address - address_of(area.start);
    const bool is_live = area.state == vm_area_state::live;
    const char* part = offset < area.lent_end    ? "frames lent by arenas"
                       : offset < area.size      ? "fresh memory"
                       : offset < area.committed ? "behind the window's end, writable"
                                                 : "behind the window's end, room to grow into";
    std::printf("%#llx: %zu bytes into a window, which is %s\n", number(about.address), offset,
                is_live ? "in use" : "free, and kept for reuse");
    line("window", text("%#llx, %zu bytes, %zu writable, %zu reserved",
                        number(address_of(area.start)), area.size, area.committed, area.reserved));
    line("part", part);
    if (is_live && area.heap != 0)
        line("heap", spelled_heap(of, area.heap_link, area.heap));
    line("offset", text("%zu", offset));
}

int explain_foreign(const target& of, std::uintptr_t address, const snapshot& heap)
{
    for (const mapping& m : of.mappings()) {
        if (address < m.start || address >= m.end)
            continue;
        std::printf("%#llx: not of this heap, but %#llx bytes into a mapping of %s\n",
                    number(address), number(address - m.start),
                    m.file.empty() ? "anonymous memory" : printable(m.file).c_str());
        return 1;
    }
    std::printf("%#llx: not of this heap (%zu arenas, %zu windows), and nothing is mapped there\n",
                number(address), heap.nr_arenas, heap.nr_live_windows + heap.nr_cached_windows);
    return 1;
}

std::uintptr_t parse_address(const std::string& text)
{
    std::size_t used = 0;
    unsigned long long value = 0;
    try {
        value = std::stoull(text, &used, 0);
    } catch (const std::exception&) {
        used = 0;
    }
    if (used == 0 || used != text.size())
        throw failure("'" + text + "' is no address");
    return value;
}

} // namespace

int explain(const words& arguments)
{
    const options given(arguments, {"core=", "exe="});
    const bool is_core = given.has("core");
    if (given.operands().size() != (is_core ? 1 : 2))
        throw failure("usage: buddyslab why PID ADDRESS | --core FILE [--exe FILE] ADDRESS");
    inquiry about{};
    about.address = parse_address(given.operands().back());
    const auto of = is_core ? target::core(given.value("core"), given.value("exe"))
                            : target::process(given.operands()[0]);
    const snapshot& heap = of->walk_once(questions(about));
    if (about.block)
        explain_page(*of, about, heap);
    else if (about.window)
        explain_window(*of, about);
    else
        return explain_foreign(*of, about.address, heap);
    return 0;
}

} // namespace bsl::tool
