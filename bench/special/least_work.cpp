/// As little work as malloc and free can do and still serve the programs of this bench (alignments up to 64 KiB): to
/// be preloaded, as one more allocator of bench/run.  It shows what an allocator gains that has nothing else to do.
///
/// An object is pushed to a list of the thread that frees it, and popped from there.  Its size class is that of its
/// page, by a table over one great reservation.  Nothing is ever given back, nothing is checked, nothing can be seen,
/// no thread is asked for anything; there is no lock and, but for a chunk of 64 KiB, no atomic operation.
#include <sys/mman.h>

#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace
{

constexpr std::size_t reserved = std::size_t{1} << 42;
constexpr std::size_t page_size = 4096;
constexpr std::size_t chunk_size = 64 * 1024;
constexpr std::size_t nr_classes = 256;
constexpr std::size_t small_max = 1024;
constexpr std::size_t largest = std::size_t{1} << 33;

/// Multiples of 16 up to 1 KiB, eight classes a doubling from there.
unsigned class_of(std::size_t size)
{
    if (size <= small_max)
        return static_cast<unsigned>(size == 0 ? 1 : (size + 15) / 16);
    const auto doubling = static_cast<unsigned>(std::bit_width(size - 1)) - 11;
    return 65 + 8 * doubling + static_cast<unsigned>((size - 1) >> (doubling + 7) & 7);
}

std::size_t size_of(unsigned size_class)
{
    if (size_class <= 64)
        return std::size_t{16} * size_class;
    const unsigned doubling = (size_class - 65) / 8;
    return std::size_t{9 + (size_class - 65) % 8} << (doubling + 7);
}

struct object
{
    object* next;
};

struct thread_lists
{
    object* free[nr_classes];
    char* fresh[nr_classes];
    char* fresh_end[nr_classes];
};

[[gnu::tls_model("initial-exec")]] constinit thread_local thread_lists lists{};

char* map_whole(std::size_t size)
{
    void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? nullptr : static_cast<char*>(p);
}

constinit std::atomic<char*> base{nullptr};
constinit std::atomic<std::uint8_t*> classes{nullptr};
constinit std::atomic<std::size_t> used{0};

/// The first call comes from the loader, before there are threads.
void prepare()
{
    classes = reinterpret_cast<std::uint8_t*>(map_whole(reserved / page_size));
    char* start = map_whole(reserved);
    if (start == nullptr || classes == nullptr)
        std::abort();
    base = start + (-reinterpret_cast<std::uintptr_t>(start) & (chunk_size - 1));
}

/// From the end of all that was ever taken, of pages that are this class's for ever.
[[gnu::noinline]] void* take_fresh(unsigned size_class)
{
    thread_lists& mine = lists;
    const std::size_t size = size_of(size_class);
    if (static_cast<std::size_t>(mine.fresh_end[size_class] - mine.fresh[size_class]) < size) {
        if (base.load(std::memory_order_relaxed) == nullptr)
            prepare();
        const std::size_t whole =
            size <= chunk_size ? chunk_size : (size + chunk_size - 1) & -chunk_size;
        const std::size_t at = used.fetch_add(whole, std::memory_order_relaxed);
        if (at + whole > reserved - chunk_size)
            return nullptr;
        std::memset(classes + at / page_size, static_cast<int>(size_class), whole / page_size);
        mine.fresh[size_class] = base + at;
        mine.fresh_end[size_class] = base + at + whole;
    }
    char* object = mine.fresh[size_class];
    mine.fresh[size_class] = object + size;
    return object;
}

void* out_of_memory()
{
    errno = ENOMEM;
    return nullptr;
}

unsigned class_at(const void* p)
{
    const auto at = static_cast<std::size_t>(static_cast<const char*>(p) -
                                             base.load(std::memory_order_relaxed));
    return classes.load(std::memory_order_relaxed)[at / page_size];
}

} // namespace

extern "C" {

void* malloc(std::size_t size)
{
    if (size > largest) [[unlikely]]
        return out_of_memory();
    const unsigned size_class = class_of(size);
    object* first = lists.free[size_class];
    if (first == nullptr) [[unlikely]] {
        void* fresh = take_fresh(size_class);
        return fresh != nullptr ? fresh : out_of_memory();
    }
    lists.free[size_class] = first->next;
    return first;
}

void free(void* p)
{
    if (p == nullptr)
        return;
    const unsigned size_class = class_at(p);
    auto* freed = static_cast<object*>(p);
    freed->next = lists.free[size_class];
    lists.free[size_class] = freed;
}

void* calloc(std::size_t nr, std::size_t size)
{
    std::size_t total = 0;
    if (__builtin_mul_overflow(nr, size, &total))
        return out_of_memory();
    void* p = malloc(total);
    return p == nullptr ? nullptr : std::memset(p, 0, total);
}

std::size_t malloc_usable_size(void* p)
{
    return p == nullptr ? 0 : size_of(class_at(p));
}

void* realloc(void* p, std::size_t size)
{
    const std::size_t had = malloc_usable_size(p);
    if (p != nullptr && size <= had && size > had / 2)
        return p;
    void* next = malloc(size);
    if (p != nullptr && next != nullptr) {
        std::memcpy(next, p, size < had ? size : had);
        free(p);
    }
    return next;
}

/// Objects of a power of two lie at multiples of it, up to a chunk's.
void* memalign(std::size_t alignment, std::size_t size)
{
    if (alignment > chunk_size)
        return out_of_memory();
    const std::size_t least = size > alignment ? size : alignment;
    return malloc(alignment <= 16 ? size : std::bit_ceil(least));
}

void* aligned_alloc(std::size_t alignment, std::size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void** out, std::size_t alignment, std::size_t size)
{
    *out = memalign(alignment, size);
    return *out == nullptr ? ENOMEM : 0;
}

} // extern "C"

void* operator new(std::size_t size)
{
    return malloc(size);
}

void operator delete(void* p) noexcept
{
    free(p);
}

void operator delete(void* p, std::size_t) noexcept
{
    free(p);
}
