/// The library for C++20: containers, smart pointers and object caches on its heap.  All of it is inline
/// over the C functions.
#ifndef BUDDYSLAB_BUDDYSLAB_HPP
#define BUDDYSLAB_BUDDYSLAB_HPP

#include <buddyslab/buddyslab.h>

#include <cstddef>
#include <limits>
#include <memory>
#include <memory_resource>
#include <new>
#include <type_traits>
#include <utility>

namespace buddyslab
{

namespace detail
{

inline void* or_throw(void* p)
{
    if (p == nullptr)
        throw std::bad_alloc();
    return p;
}

} // namespace detail

/// For standard containers: std::vector<int, buddyslab::allocator<int>>.  Has no state.
template <typename T>
struct allocator
{
    using value_type = T;
    using is_always_equal = std::true_type;

    allocator() = default;
    template <typename U>
    allocator(const allocator<U>&) noexcept
    {}

    [[nodiscard]] T* allocate(std::size_t n)
    {
        if (n > std::numeric_limits<std::size_t>::max() / sizeof(T))
            throw std::bad_array_new_length();
        if constexpr (alignof(T) > BSL_MALLOC_ALIGNMENT)
            return static_cast<T*>(detail::or_throw(bsl_aligned_alloc(alignof(T), n * sizeof(T))));
        else
            return static_cast<T*>(detail::or_throw(bsl_malloc(n * sizeof(T))));
    }
    void deallocate(T* p, std::size_t n) noexcept { bsl_free_sized(p, n * sizeof(T)); }

    template <typename U>
    bool operator==(const allocator<U>&) const noexcept
    {
        return true;
    }
};

/// std::pmr on the heap.
class memory_resource : public std::pmr::memory_resource
{
    void* do_allocate(std::size_t bytes, std::size_t alignment) override
    {
        return detail::or_throw(alignment > BSL_MALLOC_ALIGNMENT
                                    ? bsl_aligned_alloc(alignment, bytes)
                                    : bsl_malloc(bytes));
    }
    void do_deallocate(void* p, std::size_t bytes, std::size_t) override
    {
        bsl_free_sized(p, bytes);
    }
    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override
    {
        return dynamic_cast<const memory_resource*>(&other) != nullptr;
    }
};

/// std::pmr on one cache: for containers of nodes of one size.  What is larger than an object of the cache
/// comes from `upstream`.  The cache outlives it.
class cache_resource : public std::pmr::memory_resource
{
public:
    explicit cache_resource(std::size_t size, std::size_t align = alignof(std::max_align_t),
                            std::pmr::memory_resource* upstream = std::pmr::get_default_resource())
        : size_(size), align_(align), upstream_(upstream),
          cache_(bsl_kmem_cache_create("pmr", size, align, 0, nullptr))
    {
        if (cache_ == nullptr)
            throw std::bad_alloc();
    }
    ~cache_resource() override { bsl_kmem_cache_destroy(cache_); }
    cache_resource(const cache_resource&) = delete;
    cache_resource& operator=(const cache_resource&) = delete;

private:
    bool fits(std::size_t bytes, std::size_t alignment) const
    {
        return bytes <= size_ && alignment <= align_;
    }
    void* do_allocate(std::size_t bytes, std::size_t alignment) override
    {
        if (!fits(bytes, alignment))
            return upstream_->allocate(bytes, alignment);
        return detail::or_throw(bsl_kmem_cache_alloc(cache_, BSL_GFP_KERNEL));
    }
    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override
    {
        if (fits(bytes, alignment))
            bsl_kmem_cache_free(cache_, p);
        else
            upstream_->deallocate(p, bytes, alignment);
    }
    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override
    {
        return this == &other;
    }

    std::size_t size_;
    std::size_t align_;
    std::pmr::memory_resource* upstream_;
    bsl_kmem_cache* cache_;
};

/// std::pmr on a private heap, which goes with it, and with it all that was allocated from it: containers
/// on it need not be destroyed one by one, if their elements own nothing else.
///
///     buddyslab::heap_resource request("request", BSL_HEAP_ONE_THREAD);
///     std::pmr::unordered_map<int, std::pmr::string> fields(&request);
///
/// It is as thread-safe as its heap: only one thread at a time with BSL_HEAP_ONE_THREAD.  What is
/// deallocated is free for reuse at once.
class heap_resource : public std::pmr::memory_resource
{
public:
    /// `limit`: most bytes that the heap may hold; 0: no limit.
    explicit heap_resource(const char* name = "pmr", unsigned flags = 0, std::size_t limit = 0)
        : heap_(bsl_heap_create(name, flags, limit))
    {
        if (heap_ == nullptr)
            throw std::bad_alloc();
    }
    ~heap_resource() override { bsl_heap_destroy(heap_); }
    heap_resource(const heap_resource&) = delete;
    heap_resource& operator=(const heap_resource&) = delete;

    /// Frees all that was allocated.  As std::pmr::monotonic_buffer_resource::release().
    void release() noexcept { bsl_heap_reset(heap_); }

    bsl_heap* native_handle() const noexcept { return heap_; }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override
    {
        return detail::or_throw(alignment > BSL_MALLOC_ALIGNMENT
                                    ? bsl_heap_aligned_alloc(heap_, alignment, bytes)
                                    : bsl_heap_alloc(heap_, bytes));
    }
    void do_deallocate(void* p, std::size_t, std::size_t) override { bsl_heap_free(heap_, p); }
    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override
    {
        return this == &other;
    }

    bsl_heap* heap_;
};

/// A constructor hook that leaves construction to make().
struct no_hook
{};

/// A cache of T.
///
///     buddyslab::object_cache<node> nodes("node");
///     auto n = nodes.make(1, 2);              // a unique_ptr that gives the node back
///
/// With a hook, objects stay constructed between uses: Hook::construct(void*) noexcept runs once for each
/// object and slab, create() hands a constructed object out, and destroy() takes it back in that state.  No
/// destructor ever runs for such objects, so T's must be trivial.
template <typename T, typename Hook = no_hook>
class object_cache
{
    static constexpr bool keeps_constructed = !std::is_same_v<Hook, no_hook>;
    static_assert(!keeps_constructed || std::is_trivially_destructible_v<T>);

public:
    struct deleter
    {
        object_cache* cache = nullptr;
        void operator()(T* p) const noexcept { cache->destroy(p); }
    };
    using pointer = std::unique_ptr<T, deleter>;

    explicit object_cache(const char* name, unsigned flags = 0)
        : cache_(bsl_kmem_cache_create(name, sizeof(T), alignof(T), flags, constructor()))
    {
        if (cache_ == nullptr)
            throw std::bad_alloc();
    }
    /// Objects that are still in use are reported, and the cache stays for them.
    ~object_cache() { bsl_kmem_cache_destroy(cache_); }
    object_cache(const object_cache&) = delete;
    object_cache& operator=(const object_cache&) = delete;

    template <typename... Args>
    [[nodiscard]] pointer make(Args&&... args)
    {
        return pointer(create(std::forward<Args>(args)...), deleter{this});
    }

    template <typename... Args>
    requires(!keeps_constructed) [[nodiscard]] T* create(Args&&... args)
    {
        void* at = detail::or_throw(bsl_kmem_cache_alloc(cache_, BSL_GFP_KERNEL));
        try {
            return new (at) T(std::forward<Args>(args)...);
        } catch (...) {
            bsl_kmem_cache_free(cache_, at);
            throw;
        }
    }
    [[nodiscard]] T* create() requires keeps_constructed
    {
        return static_cast<T*>(detail::or_throw(bsl_kmem_cache_alloc(cache_, BSL_GFP_KERNEL)));
    }

    void destroy(T* p) noexcept
    {
        if (p == nullptr)
            return;
        if constexpr (!keeps_constructed)
            p->~T();
        bsl_kmem_cache_free(cache_, p);
    }

    bsl_kmem_cache* native_handle() const noexcept { return cache_; }
    std::size_t in_use() const noexcept { return bsl_kmem_cache_in_use(cache_); }

private:
    static constexpr auto constructor() -> void (*)(void*)
    {
        if constexpr (keeps_constructed)
            return &Hook::construct;
        else
            return nullptr;
    }

    bsl_kmem_cache* cache_;
};

/// For std::unique_ptr of what bsl_malloc(), kmalloc or vmalloc gave.
struct free_deleter
{
    void operator()(void* p) const noexcept { bsl_free(p); }
};
template <typename T>
using unique_malloc_ptr = std::unique_ptr<T, free_deleter>;

} // namespace buddyslab

#endif
