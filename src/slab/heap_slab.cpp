#include "slab/heap_slab.hpp"

#include "base/check.hpp"

namespace bsl
{

static_assert([] {
    for (unsigned c = 1; c < nr_heap_classes; ++c) {
        if (!reciprocal_is_exact(heap_layouts[c].size) ||
            heap_layouts[c].objects_in[heap_layouts[c].order_max] > objects_per_page_max)
            return false;
    }
    return true;
}());

void make_heap_slab(page& head, unsigned order, unsigned c, std::uint32_t heap)
{
    const std::size_t pages = nr_pages(order);
    for (std::size_t i = 0; i < pages; ++i) {
        page& p = (&head)[i];
        p.state = page_state::heap;
        p.order = static_cast<std::uint8_t>(order);
        p.colour = static_cast<std::uint8_t>(c);
        set_heap_number(p, heap);
    }
    const unsigned objects = heap_layouts[c].objects_in[order];
    for (unsigned w = 0; w < objects_per_page_max / 64; ++w)
        head.free_objects[w] = all_free_in_word(objects, w);
}

void unmake_heap_slab(page& head)
{
    VM_BUG_ON(head.state != page_state::heap || !is_heap_slab(head));
    const std::size_t pages = nr_pages(head.order);
    for (std::size_t i = 0; i < pages; ++i) {
        (&head)[i].state = page_state::free;
        (&head)[i].colour = 0;
    }
    head.lru = {};
    head.nr_run_pages = pages;
    head.state = page_state::frame;
}

} // namespace bsl
