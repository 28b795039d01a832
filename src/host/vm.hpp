#pragma once

/// The only door to the kernel's virtual memory.
///
/// Sizes are bytes, addresses and sizes are multiples of host::page_size() unless a function says
/// otherwise.  Results: a pointer or nullptr, true or false; errno is left as it was, so that no
/// room above has to mind it.  No function allocates, takes a lock or blocks for long.

#include <cstddef>

namespace bsl::host
{

/// Bytes of a page of the running kernel (4096, 16384 or 65536).
std::size_t page_size();

/// Fresh zeroed memory, readable and writable; at `hint` if that range is empty, else anywhere.
void* map(void* hint, std::size_t size);

/// As map(), at a multiple of `alignment`, a power of two of pages.
void* map_aligned(void* hint, std::size_t size, std::size_t alignment);

/// As map(), while libc's functions are out of reach since the loader has not relocated us yet.
void* map_before_relocation(std::size_t size);

/// As map(), but at this address or not at all: whatever is there already stays.
bool map_at(void* address, std::size_t size);

/// As map(), but inaccessible: reserves addresses, no memory, and counts to no commit limit.
void* reserve(void* hint, std::size_t size);
void* reserve_aligned(void* hint, std::size_t size, std::size_t alignment);

/// As map(), but readable only: reads as zeros and counts to no commit limit.
void* map_zeros(std::size_t size);

/// Makes a reserved or zeros-only range writable.  False when the system refuses (a limit).
bool commit(void* address, std::size_t size);

/// Makes a range inaccessible; what is in it stays.  commit() undoes it.
bool close(void* address, std::size_t size);

/// Gives a range of map(), reserve() back, addresses and all.
bool unmap(void* address, std::size_t size);

/// Replaces a range with inaccessible addresses, one syscall, whatever was there.
bool unmap_and_reserve(void* address, std::size_t size);

/// Replaces a range with fresh zeroed memory, whatever was there.
bool map_over(void* address, std::size_t size);

/// Gives the memory of a range back; the addresses stay and read as zeros.
bool discard(void* address, std::size_t size);

struct range
{
    void* start;
    std::size_t size;
};

/// discard() for each of several ranges, in one call where the kernel can (Linux 6.15).
struct discarded
{
    unsigned ranges; ///< how many of the first ones are done
    unsigned calls;  ///< system calls that it took
};
discarded discard_each(const range* ranges, unsigned n);

/// Whether each page is resident, 1 or 0; one in swap is not.  False where the kernel cannot tell, or where a filter of
/// system calls might mind.
bool ask_residency(void* address, std::size_t size, unsigned char* residency);

/// Faults a range in, to be written.  False where the kernel cannot (Linux before 5.14).
bool populate(void* address, std::size_t size);

/// Moves the frames of [from, from + size) to `to`, replacing what is mapped there.  The source
/// stays mapped and reads as zeros (MREMAP_DONTUNMAP, Linux 5.7).
bool move_frames(void* from, void* to, std::size_t size);

/// As move_frames(), but the source is unmapped: works on every kernel.
bool move_mapping(void* from, void* to, std::size_t size);

/// Does all of [address, address + size) belong to one VMA, so that it can be moved by one call?  The program may have
/// divided it, by madvise or mlock.
bool is_one_mapping(void* address, std::size_t size);

/// Says in /proc/PID/maps what a range is: [anon:name].  False where the kernel cannot (before 5.17, or
/// built without).
bool name_mapping(void* address, std::size_t size, const char* name);

/// May this process have memory of one memory node only, because the machine has no other or its cpuset says so?
/// False also where the kernel does not tell (a container's seccomp filter may forbid to ask).
bool is_confined_to_one_node();

/// Memory of a range is to come from this memory node as long as it has any; for pages that are not
/// there yet.  False where the kernel cannot, or may not.
bool prefer_node(void* address, std::size_t size, unsigned node);

/// Huge pages for a range: wanted, or never.
void advise_huge(void* address, std::size_t size, bool wanted);

} // namespace bsl::host
