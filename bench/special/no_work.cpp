/// malloc and free that do nothing: what two calls cost that find their way from a program into a library and back.  To
/// be preloaded into `micro/pair`, which has one block at a time; every block is the same one.
#include <cstddef>

namespace
{

alignas(4096) char block[std::size_t{4} << 20];

} // namespace

extern "C" void* malloc(std::size_t)
{
    return block;
}

extern "C" void free(void*) {}
