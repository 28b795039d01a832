/*
 * Every form of operator new and delete, and what the standard says about failure: the new-handler
 * is called until it gives up, its exception passes, and std::bad_alloc can be caught.
 */
#include "check.h"
#include <memory>
#include <new>
#include <string>
#include <sys/resource.h>

namespace
{

/* Through volatile, so that the compiler neither sees nor warns of it. */
volatile std::size_t opaque_absurd = static_cast<std::size_t>(PTRDIFF_MAX) - 4096;

void require_provider(void* address, const char* what)
{
    if (!is_library_under_test())
        return;
    Dl_info where{};
    CHECK(dladdr(address, &where), "%s is nowhere", what);
    CHECK(strstr(where.dli_fname, "libbuddyslab"), "%s comes from %s", what, where.dli_fname);
}

void operators_come_from_the_library()
{
    using sized = void (*)(void*, std::size_t);
    using plain = void* (*)(std::size_t);
    using aligned = void* (*)(std::size_t, std::align_val_t);
    using quiet = void* (*)(std::size_t, const std::nothrow_t&);
    require_provider((void*)static_cast<plain>(&::operator new), "new");
    require_provider((void*)static_cast<plain>(&::operator new[]), "new[]");
    require_provider((void*)static_cast<aligned>(&::operator new), "aligned new");
    require_provider((void*)static_cast<quiet>(&::operator new), "nothrow new");
    require_provider((void*)static_cast<sized>(&::operator delete), "sized delete");
}

void use(void* p, std::size_t size, std::size_t alignment)
{
    CHECK(p && reinterpret_cast<std::uintptr_t>(p) % alignment == 0, "%zu bytes at %p", size, p);
    memset(p, 1, size);
}

void plain_forms(std::size_t n)
{
    void* p = ::operator new(n);
    use(p, n, 16);
    ::operator delete(p);
    p = ::operator new(n);
    use(p, n, 16);
    ::operator delete(p, n);
    p = ::operator new[](n);
    use(p, n, 16);
    ::operator delete[](p);
    p = ::operator new[](n);
    use(p, n, 16);
    ::operator delete[](p, n);
    p = ::operator new(n, std::nothrow);
    use(p, n, 16);
    ::operator delete(p, std::nothrow);
    p = ::operator new[](n, std::nothrow);
    use(p, n, 16);
    ::operator delete[](p, std::nothrow);
}

void aligned_forms(std::size_t n, std::size_t alignment)
{
    const std::align_val_t a{alignment};
    void* p = ::operator new(n, a);
    use(p, n, alignment);
    ::operator delete(p, a);
    p = ::operator new(n, a);
    use(p, n, alignment);
    ::operator delete(p, n, a);
    p = ::operator new[](n, a);
    use(p, n, alignment);
    ::operator delete[](p, a);
    p = ::operator new[](n, a);
    use(p, n, alignment);
    ::operator delete[](p, n, a);
    p = ::operator new(n, a, std::nothrow);
    use(p, n, alignment);
    ::operator delete(p, a, std::nothrow);
    p = ::operator new[](n, a, std::nothrow);
    use(p, n, alignment);
    ::operator delete[](p, a, std::nothrow);
}

void every_form()
{
    for (std::size_t n = 0; n < 9 * MiB; n += n / 3 + 5) {
        plain_forms(n);
        for (std::size_t alignment = 32; alignment <= 64 * KiB; alignment *= 4)
            aligned_forms(n, alignment);
    }
    ::operator delete(nullptr);
    ::operator delete[](nullptr, std::size_t{8});
    ::operator delete (nullptr, std::align_val_t{64});
    void* a = ::operator new(0);
    void* b = ::operator new(0);
    CHECK(a != b, "two objects of no bytes at %p", a);
    ::operator delete(a);
    ::operator delete(b);
}

/* Whether the call, which returns memory if it returns, throws std::bad_alloc. */
template <typename Call>
bool throws_bad_alloc(Call call)
{
    try {
        static_cast<void>(call());
    } catch (const std::bad_alloc&) {
        return true;
    }
    return false;
}

void failure_is_bad_alloc()
{
    CHECK(throws_bad_alloc([] { return ::operator new(opaque_absurd); }), "new");
    CHECK(throws_bad_alloc([] { return ::operator new[](opaque_absurd); }), "new[]");
    CHECK(throws_bad_alloc([] { return ::operator new (opaque_absurd, std::align_val_t{64}); }),
          "aligned");
    CHECK(throws_bad_alloc([] { return ::operator new[](opaque_absurd, std::align_val_t{64}); }),
          "aligned array");
    CHECK(throws_bad_alloc([] { return new char[opaque_absurd]; }), "new expression");
    CHECK(throws_bad_alloc([] { return std::string(opaque_absurd - 8192, 'x'); }), "std::string");
    CHECK(!::operator new(opaque_absurd, std::nothrow), "nothrow new");
    CHECK(!::operator new[](opaque_absurd, std::nothrow), "nothrow new[]");
    CHECK(!::operator new (opaque_absurd, std::align_val_t{64}, std::nothrow), "nothrow aligned");
    CHECK(!::operator new[](opaque_absurd, std::align_val_t{64}, std::nothrow), "nothrow aligned");
}

int calls_of_handler;

void give_up_at_the_third_call()
{
    if (++calls_of_handler == 3)
        std::set_new_handler(nullptr);
}

struct handler_exception : std::bad_alloc
{};

void throw_own_exception()
{
    calls_of_handler++;
    throw handler_exception();
}

void handler_is_called()
{
    calls_of_handler = 0;
    std::set_new_handler(give_up_at_the_third_call);
    CHECK(throws_bad_alloc([] { return ::operator new(opaque_absurd); }), "new with a handler");
    CHECK(calls_of_handler == 3, "%d calls", calls_of_handler);

    calls_of_handler = 0;
    std::set_new_handler(give_up_at_the_third_call);
    CHECK(!::operator new(opaque_absurd, std::nothrow), "nothrow new with a handler");
    CHECK(calls_of_handler == 3, "%d calls for nothrow", calls_of_handler);

    calls_of_handler = 0;
    std::set_new_handler(give_up_at_the_third_call);
    CHECK(throws_bad_alloc([] { return ::operator new[](opaque_absurd, std::align_val_t{128}); }),
          "aligned");
    CHECK(calls_of_handler == 3, "%d calls for aligned", calls_of_handler);

    bool own = false;
    std::set_new_handler(throw_own_exception);
    try {
        static_cast<void>(::operator new(opaque_absurd));
    } catch (const handler_exception&) {
        own = true;
    }
    CHECK(own, "the handler's own exception");
    CHECK(!::operator new(opaque_absurd, std::nothrow), "nothrow turns it into nullptr");
    std::set_new_handler(nullptr);
}

std::unique_ptr<char[]> ballast;

void drop_ballast()
{
    calls_of_handler++;
    if (!ballast)
        throw std::bad_alloc();
    ballast.reset();
}

/* The purpose of a handler: it frees something, and the request that had failed is served. */
void handler_makes_room()
{
    const std::size_t size = 300 * std::size_t{MiB};
    const auto used = static_cast<rlim_t>(proc_kib("/proc/self/status", "VmSize:")) * 1024;
    rlimit old{};
    getrlimit(RLIMIT_AS, &old);
    const rlimit limit{used + size + size / 2, old.rlim_max};
    ballast.reset(new char[size]);
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0, "%s", strerror(errno));
    calls_of_handler = 0;
    std::set_new_handler(drop_ballast);
    std::unique_ptr<char[]> wanted(new char[size]);
    CHECK(calls_of_handler == 1, "%d calls", calls_of_handler);
    wanted[0] = wanted[size - 1] = 1;
    CHECK(throws_bad_alloc([=] { return ::operator new(4 * size); }), "no more ballast");
    std::set_new_handler(nullptr);
    setrlimit(RLIMIT_AS, &old);
}

} // namespace

int main()
{
    require_library();
    operators_come_from_the_library();
    every_form();
    failure_is_bad_alloc();
    handler_is_called();
    handler_makes_room();
    return 0;
}
