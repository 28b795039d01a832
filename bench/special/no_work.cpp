/// malloc and free that do nothing: what two calls cost that find their way from a program into a library and back.  To
/// be preloaded into `micro/pair`, which has one block at a time (but not for calloc); every block is the same one.
#include <cstddef>
#include <new>

namespace
{

alignas(4096) char block[std::size_t{4} << 20];

} // namespace

extern "C" void* malloc(std::size_t)
{
    return block;
}

extern "C" void* aligned_alloc(std::size_t, std::size_t)
{
    return block;
}

extern "C" void free(void*) {}

void* operator new(std::size_t)
{
    return block;
}

void operator delete(void*, std::size_t) noexcept {}

void operator delete(void*) noexcept {}
