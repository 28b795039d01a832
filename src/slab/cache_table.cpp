#include "slab/cache_table.hpp"

namespace bsl
{

namespace
{

/// "kmalloc-96", "kmalloc-1k", "kmalloc-4M": as the kernel names them.
struct kmalloc_name
{
    char text[16] = "kmalloc-";
    std::size_t length = 8;

    constexpr explicit kmalloc_name(std::size_t size)
    {
        const bool mega = size % mib == 0;
        const bool kilo = !mega && size % kib == 0;
        std::size_t n = mega ? size / mib : kilo ? size / kib : size;
        char digits[8] = {};
        unsigned count = 0;
        do {
            digits[count++] = static_cast<char>('0' + n % 10);
            n /= 10;
        } while (n != 0);
        while (count != 0)
            text[length++] = digits[--count];
        if (mega || kilo)
            text[length++] = mega ? 'M' : 'k';
    }
};

template <std::size_t Class>
inline constexpr kmalloc_name name_of{class_size(Class)};

template <std::size_t Class>
constexpr kmem_cache make_kmalloc_cache()
{
    constexpr std::size_t size = class_size(Class == 0 ? 1 : Class);
    static_assert(size > slab_size_max || reciprocal_is_exact(size));
    static_assert(size > slab_size_max || nr_pages(slab_order_busy(size)) <= 64);
    return {Class, Class, {name_of<Class>.text, name_of<Class>.length}, size};
}

constexpr kmem_cache make_own_cache(own_cache which)
{
    const unsigned number = nr_classes + static_cast<unsigned>(which);
    switch (which) {
    case own_cache::sheaf:
        return {number, 0, "sheaf", sheaf_size};
    case own_cache::thread_heap:
        return {number, 0, "thread_heap", thread_heap_size};
    case own_cache::vm_area:
        return {number, 0, "vm_area", vm_area_size};
    default:
        return {number, 0, "kmem_cache_node", sizeof(kmem_cache_node)};
    }
}

template <std::size_t... Class>
constexpr std::array<kmem_cache, nr_caches> make_caches(std::index_sequence<Class...>)
{
    return {make_kmalloc_cache<Class>()..., make_own_cache(own_cache::sheaf),
            make_own_cache(own_cache::thread_heap), make_own_cache(own_cache::vm_area),
            make_own_cache(own_cache::node)};
}

} // namespace

constinit const std::array<kmem_cache, nr_caches> all_caches =
    make_caches(std::make_index_sequence<nr_classes>());

} // namespace bsl
