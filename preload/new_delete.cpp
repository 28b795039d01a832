/*
 * operator new and delete, every form of them, straight on the heap.
 *
 * The library must not need the C++ runtime: a C program that is preloaded has none, or gets one late,
 * by dlopen().  Three things are the runtime's own, and wanted only when memory has run out:
 *
 *     std::get_new_handler       what to call before giving up
 *     std::__throw_bad_alloc     how to give up
 *     catch (...)                in the nothrow forms: what a handler throws ends as nullptr
 *
 * The two functions are weak references, which the loader resolves if the runtime is there from the
 * start; otherwise they are looked up in the runtimes that have been loaded since (libstdc++ and libc++
 * give them the same names).  Without any of it, operator new cannot fail as C++ wants it: it says so
 * and aborts.
 *
 * A catch of our own would need a personality routine, __gxx_personality_v0, and with it the runtime.
 * So nothing here catches: a nothrow form that finds no memory while a handler is installed leaves the
 * rest to the nothrow form of the runtime, which is an ordinary call of operator new, ours, inside of
 * a try block.  Exceptions that pass through this file find unwind tables (-fexceptions), but nothing
 * to do: no function here has an object to destroy, and those that are noexcept call only such.
 */
#include "base/bitops.hpp"
#include "base/check.hpp"
#include "base/format.hpp"
#include "heap/heap.hpp"

#include <dlfcn.h>
#include <new>

// Names of the C++ runtime, as the Itanium ABI writes them; the last letter of _Znw is size_t's.
#if __SIZEOF_SIZE_T__ == 8
#define BSL_NEW(rest) "_Znwm" rest
#else
#define BSL_NEW(rest) "_Znwj" rest
#endif
#define BSL_THROW_BAD_ALLOC "_ZSt17__throw_bad_allocv"
#define BSL_GET_NEW_HANDLER "_ZSt15get_new_handlerv"

#define BSL_OPERATOR [[gnu::visibility("default"), gnu::aligned(bsl::cache_line_size)]]

// nullptr if there was no runtime when this library was loaded.
extern "C" [[gnu::weak]] void throw_bad_alloc_at_start() asm(BSL_THROW_BAD_ALLOC);
extern "C" [[gnu::weak]] std::new_handler get_new_handler_at_start() noexcept
    asm(BSL_GET_NEW_HANDLER);

namespace
{

using std::align_val_t;
using std::nothrow_t;
using std::size_t;

using throw_function = void (*)();
using handler_getter = std::new_handler (*)() noexcept;
using nothrow_new = void* (*)(size_t, const nothrow_t&) noexcept;
using nothrow_aligned_new = void* (*)(size_t, align_val_t, const nothrow_t&) noexcept;

/// The definition of `name` in a C++ runtime that this process has loaded; nullptr without one.
void* find_in_runtime(const char* name) noexcept
{
    if (void* found = dlsym(RTLD_NEXT, name))
        return found;
    // With RTLD_LOCAL it is in no scope of ours: ask by the file's name, and do not load it.
    for (const char* runtime : {"libstdc++.so.6", "libc++.so.1"}) {
        void* handle = dlopen(runtime, RTLD_LAZY | RTLD_NOLOAD);
        if (handle == nullptr)
            continue;
        void* found = dlsym(handle, name);
        dlclose(handle);
        if (found != nullptr)
            return found;
    }
    return nullptr;
}

template <typename Function>
Function in_runtime(const char* name, Function at_start) noexcept
{
    return at_start != nullptr ? at_start : reinterpret_cast<Function>(find_in_runtime(name));
}

std::new_handler installed_handler() noexcept
{
    const auto get = in_runtime<handler_getter>(BSL_GET_NEW_HANDLER, get_new_handler_at_start);
    return get != nullptr ? get() : nullptr;
}

[[noreturn]] void throw_bad_alloc(size_t size)
{
    if (const auto raise =
            in_runtime<throw_function>(BSL_THROW_BAD_ALLOC, throw_bad_alloc_at_start))
        raise();
    bsl::format<160> line;
    line.text("operator new(").decimal(size);
    bsl::panic(line.text("): out of memory, and no C++ runtime to throw std::bad_alloc").c_str());
}

/// An alignment that operator new itself has.
bool is_plain(align_val_t alignment) noexcept
{
    return static_cast<size_t>(alignment) <= bsl::malloc_alignment;
}

/// What malloc does first: an object freed lately.  nullptr: the slow path's business.
[[gnu::always_inline]] inline void* pop_small(size_t size) noexcept
{
    bsl::thread_bins* mine = bsl::this_thread.bins;
    if (size > bsl::small_size_max || mine == nullptr) [[unlikely]]
        return nullptr;
    const size_t size_class = (size + bsl::malloc_alignment - 1) / bsl::malloc_alignment;
    return mine->of_class[size_class].pop();
}

/// Calls the handler each time that there is no memory, until there is, or no handler any more.
template <typename Attempt>
void* new_or_throw(size_t size, Attempt attempt)
{
    for (;;) {
        if (void* p = attempt()) [[likely]]
            return p;
        const std::new_handler handler = installed_handler();
        if (handler == nullptr)
            throw_bad_alloc(size);
        handler();
    }
}

[[gnu::noinline]] void* new_slow(size_t size)
{
    return new_or_throw(size, [size]() noexcept { return bsl::heap::malloc(size); });
}

[[gnu::noinline]] void* new_aligned(size_t size, align_val_t alignment)
{
    const auto a = static_cast<size_t>(alignment);
    if (!bsl::is_power_of_2(a))
        throw_bad_alloc(size);
    return new_or_throw(size, [size, a]() noexcept { return bsl::heap::aligned_alloc(a, size); });
}

[[gnu::noinline]] void* new_nothrow_slow(size_t size, const nothrow_t& tag) noexcept
{
    void* p = bsl::heap::malloc(size);
    if (p != nullptr || installed_handler() == nullptr) [[likely]]
        return p;
    const auto next = reinterpret_cast<nothrow_new>(find_in_runtime(BSL_NEW("RKSt9nothrow_t")));
    return next != nullptr ? next(size, tag) : nullptr;
}

[[gnu::noinline]] void* new_aligned_nothrow(size_t size, align_val_t alignment,
                                            const nothrow_t& tag) noexcept
{
    const auto a = static_cast<size_t>(alignment);
    void* p = bsl::is_power_of_2(a) ? bsl::heap::aligned_alloc(a, size) : nullptr;
    if (p != nullptr || installed_handler() == nullptr) [[likely]]
        return p;
    const auto next = reinterpret_cast<nothrow_aligned_new>(
        find_in_runtime(BSL_NEW("St11align_val_tRKSt9nothrow_t")));
    return next != nullptr ? next(size, alignment, tag) : nullptr;
}

} // namespace

// --- new ---------------------------------------------------------------------------------------

BSL_OPERATOR void* operator new(size_t size)
{
    void* p = pop_small(size);
    return p != nullptr ? p : new_slow(size);
}

BSL_OPERATOR void* operator new[](size_t size)
{
    void* p = pop_small(size);
    return p != nullptr ? p : new_slow(size);
}

BSL_OPERATOR void* operator new(size_t size, const nothrow_t& tag) noexcept
{
    void* p = pop_small(size);
    return p != nullptr ? p : new_nothrow_slow(size, tag);
}

BSL_OPERATOR void* operator new[](size_t size, const nothrow_t& tag) noexcept
{
    void* p = pop_small(size);
    return p != nullptr ? p : new_nothrow_slow(size, tag);
}

BSL_OPERATOR void* operator new(size_t size, align_val_t alignment)
{
    return is_plain(alignment) ? operator new(size) : new_aligned(size, alignment);
}

BSL_OPERATOR void* operator new[](size_t size, align_val_t alignment)
{
    return is_plain(alignment) ? operator new(size) : new_aligned(size, alignment);
}

BSL_OPERATOR void* operator new(size_t size, align_val_t alignment, const nothrow_t& tag) noexcept
{
    return is_plain(alignment) ? operator new(size, tag)
                               : new_aligned_nothrow(size, alignment, tag);
}

BSL_OPERATOR void* operator new[](size_t size, align_val_t alignment, const nothrow_t& tag) noexcept
{
    return is_plain(alignment) ? operator new(size, tag)
                               : new_aligned_nothrow(size, alignment, tag);
}

// --- delete: what the size and alignment would say stands in the page's class ------------------

#define BSL_OPERATOR_DELETE(...)                                                                   \
    BSL_OPERATOR void operator delete(void* p __VA_OPT__(, ) __VA_ARGS__) noexcept                 \
    {                                                                                              \
        bsl::heap::free(p);                                                                        \
    }                                                                                              \
    BSL_OPERATOR void operator delete[](void* p __VA_OPT__(, ) __VA_ARGS__) noexcept               \
    {                                                                                              \
        bsl::heap::free(p);                                                                        \
    }

BSL_OPERATOR_DELETE()
BSL_OPERATOR_DELETE(size_t)
BSL_OPERATOR_DELETE(align_val_t)
BSL_OPERATOR_DELETE(size_t, align_val_t)
BSL_OPERATOR_DELETE(const nothrow_t&)
BSL_OPERATOR_DELETE(align_val_t, const nothrow_t&)
