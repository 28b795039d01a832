#include "host/vm.hpp"

#include "base/bitops.hpp"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

namespace bsl::host
{

namespace
{

class errno_guard
{
public:
    errno_guard() : saved_(errno) {}
    ~errno_guard() { errno = saved_; }
    errno_guard(const errno_guard&) = delete;
    errno_guard& operator=(const errno_guard&) = delete;

private:
    int saved_;
};

constexpr int anonymous = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

/// The thread sanitizer replaces hints outside of its own regions by 0, which with the flag would be
/// taken at its word.
#if defined(__SANITIZE_THREAD__)
constexpr int at_hint = 0;
#else
constexpr int at_hint = MAP_FIXED_NOREPLACE;
#endif

void* map_somewhere(void* hint, std::size_t size, int protection)
{
    errno_guard keep;
    if (hint != nullptr) {
        // Kernels before 4.17 take the flag for a mere hint; either way the result is what counts.
        void* at = mmap(hint, size, protection, anonymous | at_hint, -1, 0);
        if (at != MAP_FAILED)
            return at;
    }
    void* at = mmap(nullptr, size, protection, anonymous, -1, 0);
    return at == MAP_FAILED ? nullptr : at;
}

void* map_somewhere_aligned(void* hint, std::size_t size, std::size_t alignment, int protection)
{
    void* at = map_somewhere(hint, size, protection);
    if (at == nullptr || reinterpret_cast<std::uintptr_t>(at) % alignment == 0)
        return at;
    // The kernel puts mappings next to each other: the next one will be aligned at once.
    unmap(at, size);
    at = map_somewhere(nullptr, size + alignment, protection);
    if (at == nullptr)
        return nullptr;
    char* const start = static_cast<char*>(at);
    const std::size_t before = -reinterpret_cast<std::uintptr_t>(at) % alignment;
    if (before != 0)
        unmap(start, before);
    unmap(start + before + size, alignment - before);
    return start + before;
}

bool map_fixed(void* address, std::size_t size, int protection)
{
    errno_guard keep;
    return mmap(address, size, protection, anonymous | MAP_FIXED, -1, 0) != MAP_FAILED;
}

bool advise(void* address, std::size_t size, int advice)
{
    errno_guard keep;
    return madvise(address, size, advice) == 0;
}

} // namespace

std::size_t page_size()
{
    static constinit std::atomic<std::size_t> cached{0};
    std::size_t size = cached.load(std::memory_order_relaxed);
    if (size == 0) {
        size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        cached.store(size, std::memory_order_relaxed);
    }
    return size;
}

void* map(void* hint, std::size_t size)
{
    return map_somewhere(hint, size, PROT_READ | PROT_WRITE);
}

void* map_aligned(void* hint, std::size_t size, std::size_t alignment)
{
    return map_somewhere_aligned(hint, size, alignment, PROT_READ | PROT_WRITE);
}

void* map_before_relocation(std::size_t size)
{
#ifdef __x86_64__
    register long flags asm("r10") = anonymous;
    register long file asm("r8") = -1;
    register long offset asm("r9") = 0;
    long result = SYS_mmap;
    asm volatile("syscall"
                 : "+a"(result)
                 : "D"(0L), "S"(size), "d"(long{PROT_READ | PROT_WRITE}), "r"(flags), "r"(file),
                   "r"(offset)
                 : "rcx", "r11", "memory");
    return result < 0 && result > -4096 ? nullptr : reinterpret_cast<void*>(result);
#else
    return map(nullptr, size);
#endif
}

bool map_at(void* address, std::size_t size)
{
    errno_guard keep;
    void* at = mmap(address, size, PROT_READ | PROT_WRITE, anonymous | at_hint, -1, 0);
    if (at == address)
        return true;
    if (at != MAP_FAILED) // a kernel or sanitizer that does not know the flag
        munmap(at, size);
    return false;
}

void* reserve(void* hint, std::size_t size)
{
    return map_somewhere(hint, size, PROT_NONE);
}

void* reserve_aligned(void* hint, std::size_t size, std::size_t alignment)
{
    return map_somewhere_aligned(hint, size, alignment, PROT_NONE);
}

void* map_zeros(std::size_t size)
{
    return map_somewhere(nullptr, size, PROT_READ);
}

bool commit(void* address, std::size_t size)
{
    errno_guard keep;
    return mprotect(address, size, PROT_READ | PROT_WRITE) == 0;
}

bool close(void* address, std::size_t size)
{
    errno_guard keep;
    return mprotect(address, size, PROT_NONE) == 0;
}

bool unmap(void* address, std::size_t size)
{
    errno_guard keep;
    return munmap(address, size) == 0;
}

bool unmap_and_reserve(void* address, std::size_t size)
{
    return map_fixed(address, size, PROT_NONE);
}

bool map_over(void* address, std::size_t size)
{
    return map_fixed(address, size, PROT_READ | PROT_WRITE);
}

bool discard(void* address, std::size_t size)
{
    return advise(address, size, MADV_DONTNEED);
}

namespace
{

/// PIDFD_SELF_THREAD_GROUP of Linux 6.15: a process names itself without opening anything.
constexpr int this_process = -10001;

/// A filter of system calls may end the process for a call that it does not know.
bool has_seccomp_filter()
{
    return prctl(PR_GET_SECCOMP) != 0;
}

} // namespace

discarded discard_each(const range* ranges, unsigned n)
{
    static_assert(sizeof(range) == sizeof(iovec) &&
                  offsetof(range, size) == offsetof(iovec, iov_len));
    static constinit std::atomic<bool> is_refused{false};
    errno_guard keep;
    discarded result{0, 0};
    if (n > 1 && !is_refused.load(std::memory_order_relaxed) && !has_seccomp_filter()) {
        long bytes = syscall(SYS_process_madvise, this_process, ranges, n, MADV_DONTNEED, 0);
        if (bytes < 0 && errno != EINTR && errno != EAGAIN)
            is_refused.store(true, std::memory_order_relaxed);
        ++result.calls;
        while (result.ranges < n && bytes >= static_cast<long>(ranges[result.ranges].size))
            bytes -= static_cast<long>(ranges[result.ranges++].size);
    }
    for (; result.ranges < n; ++result.ranges) {
        ++result.calls;
        if (!discard(ranges[result.ranges].start, ranges[result.ranges].size))
            break;
    }
    return result;
}

bool ask_residency(void* address, std::size_t size, unsigned char* residency)
{
    errno_guard keep;
    if (has_seccomp_filter() || mincore(address, size, residency) != 0)
        return false;
    for (std::size_t i = 0; i < div_round_up(size, page_size()); ++i)
        residency[i] &= 1; // the other bits may come to mean something
    return true;
}

bool populate(void* address, std::size_t size)
{
    return advise(address, size, MADV_POPULATE_WRITE);
}

bool move_frames(void* from, void* to, std::size_t size)
{
    errno_guard keep;
    constexpr int flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
    return mremap(from, size, size, flags, to) != MAP_FAILED;
}

bool move_mapping(void* from, void* to, std::size_t size)
{
    errno_guard keep;
    return mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) != MAP_FAILED;
}

/// Whether it could grow in place: what reaches across a VMA's end is refused in another way than what has no room.
bool is_one_mapping(void* address, std::size_t size)
{
    errno_guard keep;
    if (mremap(address, size, size + page_size(), 0) == MAP_FAILED)
        return errno == ENOMEM;
    munmap(static_cast<char*>(address) + size, page_size());
    return true;
}

bool name_mapping(void* address, std::size_t size, const char* name)
{
    errno_guard keep;
    return prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, address, size, name) == 0;
}

namespace
{

/// Memory nodes that the kernel can be built for, a bit each.
struct node_mask
{
    static constexpr unsigned nr_bits = 1024;
    static constexpr unsigned word_bits = 8 * sizeof(unsigned long);
    unsigned long words[nr_bits / word_bits];
};

} // namespace

bool is_confined_to_one_node()
{
    errno_guard keep;
    node_mask allowed{};
    if (syscall(SYS_get_mempolicy, nullptr, allowed.words, node_mask::nr_bits, nullptr,
                MPOL_F_MEMS_ALLOWED) != 0)
        return false;
    unsigned nr = 0;
    for (const unsigned long word : allowed.words)
        nr += count_bits(word);
    return nr == 1;
}

bool prefer_node(void* address, std::size_t size, unsigned node)
{
    errno_guard keep;
    node_mask wanted{};
    if (node >= node_mask::nr_bits)
        return false;
    wanted.words[node / node_mask::word_bits] = 1ul << (node % node_mask::word_bits);
    return syscall(SYS_mbind, address, size, MPOL_PREFERRED, wanted.words, node_mask::nr_bits + 1,
                   0) == 0;
}

void advise_huge(void* address, std::size_t size, bool wanted)
{
    advise(address, size, wanted ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

} // namespace bsl::host
