/// What a program has asked for and not freed, at most, against what glibc's heap took from the system for it, at
/// most: to be preloaded (bench/perfect), with glibc's malloc below it.
///
/// Blocks that glibc maps by themselves are left out on both sides, for they are not touched as wholes.  The rest is
/// counted as an allocator without any overhead would store it: in units of 16 bytes, which the alignment demands.
///
/// At its end each process appends a line to the file that BENCH_LIVE_BYTES names: its name, most live bytes, most
/// bytes of the heap.
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t nr, std::size_t size);
void* __libc_realloc(void* p, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* p);
}

namespace
{

constexpr std::size_t unit = 16;
constexpr std::size_t calls_per_look = 64;
constexpr std::size_t growth_per_look = 64 * 1024;

/// Live blocks: open addressing, a free slot has no address, one that became free stays as a mark.
struct entry
{
    std::uintptr_t address;
    std::size_t bytes;
};
constexpr std::size_t nr_entries = std::size_t{1} << 24;
constexpr std::uintptr_t was_freed = 1;

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
entry* table;
std::size_t live;
std::size_t live_peak;
std::size_t live_peak_at_look;
std::size_t heap_peak;
std::size_t calls;

bool is_mapped_alone(const void* p)
{
    constexpr std::size_t is_mmapped = 2; // in the word before the block, malloc/malloc.c
    return (static_cast<const std::size_t*>(p)[-1] & is_mmapped) != 0;
}

entry& slot_of(std::uintptr_t address, bool is_new)
{
    std::size_t i = address / unit * 0x9E3779B97F4A7C15 >> 40;
    while (table[i].address != address && table[i].address != 0 &&
           !(is_new && table[i].address == was_freed))
        i = (i + 1) % nr_entries;
    return table[i];
}

void look_at_heap()
{
    const std::size_t now = mallinfo2().arena;
    heap_peak = now > heap_peak ? now : heap_peak;
}

void* note(void* p, std::size_t size)
{
    if (p == nullptr || is_mapped_alone(p))
        return p;
    pthread_mutex_lock(&mutex);
    if (table == nullptr) {
        void* const fresh = mmap(nullptr, nr_entries * sizeof(entry), PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (fresh == MAP_FAILED)
            std::abort();
        table = static_cast<entry*>(fresh);
    }
    const std::size_t bytes = (size + unit - 1 + (size == 0)) / unit * unit;
    slot_of(reinterpret_cast<std::uintptr_t>(p), true) = {reinterpret_cast<std::uintptr_t>(p),
                                                          bytes};
    live += bytes;
    live_peak = live > live_peak ? live : live_peak;
    const bool is_due =
        ++calls % calls_per_look == 0 || live_peak > live_peak_at_look + growth_per_look;
    if (is_due)
        live_peak_at_look = live_peak;
    pthread_mutex_unlock(&mutex);
    if (is_due)
        look_at_heap();
    return p;
}

void forget(void* p)
{
    if (p == nullptr || is_mapped_alone(p))
        return;
    pthread_mutex_lock(&mutex);
    if (table != nullptr) {
        entry& of = slot_of(reinterpret_cast<std::uintptr_t>(p), false);
        if (of.address != 0) {
            live -= of.bytes;
            of = {was_freed, 0};
        }
    }
    pthread_mutex_unlock(&mutex);
}

[[gnu::constructor]] void prepare_for_forks()
{
    pthread_atfork([] { pthread_mutex_lock(&mutex); }, [] { pthread_mutex_unlock(&mutex); },
                   [] { pthread_mutex_unlock(&mutex); });
}

[[gnu::destructor]] void report()
{
    look_at_heap();
    const char* path = std::getenv("BENCH_LIVE_BYTES");
    std::FILE* file = path == nullptr ? nullptr : std::fopen(path, "a");
    if (file == nullptr)
        return;
    std::fprintf(file, "%s %zu %zu\n", program_invocation_short_name, live_peak, heap_peak);
    std::fclose(file);
}

} // namespace

extern "C" {

void* malloc(std::size_t size)
{
    return note(__libc_malloc(size), size);
}

void free(void* p)
{
    forget(p);
    __libc_free(p);
}

void* calloc(std::size_t nr, std::size_t size)
{
    return note(__libc_calloc(nr, size), nr * size);
}

void* realloc(void* p, std::size_t size)
{
    // Noted as freed first: the address may be another thread's before this one is back.
    const bool is_gone = size == 0;
    forget(p);
    void* moved = __libc_realloc(p, size);
    return is_gone ? moved : note(moved, size);
}

void* memalign(std::size_t alignment, std::size_t size)
{
    return note(__libc_memalign(alignment, size), size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void** to, std::size_t alignment, std::size_t size)
{
    *to = memalign(alignment, size);
    return *to == nullptr ? ENOMEM : 0;
}

/// For programs that are linked with another allocator, whose answer would be nonsense.
std::size_t malloc_usable_size(void* p)
{
    constexpr std::size_t flags = 7;
    if (p == nullptr)
        return 0;
    const std::size_t chunk = static_cast<const std::size_t*>(p)[-1] & ~flags;
    return chunk - (is_mapped_alone(p) ? 2 : 1) * sizeof(std::size_t);
}
}
