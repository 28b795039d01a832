#pragma once

/// Facts of the processor that the code is laid out for.

#include <cstddef>

namespace bsl
{

/// x86-64 and most arm64 parts; two threads that write within one line slow each other down.
inline constexpr std::size_t cache_line_size = 64;

/// Tells the processor that this is a spin loop.
inline void cpu_relax()
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield" ::: "memory");
#endif
}

/// The object, by an address in a register: for short code that uses several of its fields, which is slower with an
/// address of its own for each (docs/decisions/0032).
template <class T>
[[gnu::always_inline]] inline T& in_register(T& object)
{
    T* address = &object;
    asm("" : "+r"(address));
    return *address;
}

/// Asks for a cache line that is going to be written.
inline void prefetch(const void* address)
{
    __builtin_prefetch(address, 1);
}

} // namespace bsl
