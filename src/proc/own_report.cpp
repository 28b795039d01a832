#include "proc/own_report.hpp"

#include "host/console.hpp"
#include "host/memory.hpp"
#include "host/vm.hpp"
#include "proc/report.hpp"

#include <cerrno>

namespace bsl
{

namespace
{

/// What a report takes: mapped for its time, since it is too much for a stack.
struct desk
{
    workspace space;
    snapshot heap;
};

struct sheet
{
    int fd;
    int error;
};

bool write_part(void* context, std::string_view text)
{
    sheet& to = *static_cast<sheet*>(context);
    to.error = host::write_all(to.fd, text);
    return to.error == 0;
}

int write_on(desk& with, int fd, std::string_view name)
{
    const memory_source own{nullptr, [](void*, std::uintptr_t from, void* to, std::size_t size) {
                                return host::read_own_memory(from, to, size);
                            }};
    if (!take_snapshot(own, heap_root, with.space, with.heap))
        return -EPERM;
    sheet paper{fd, 0};
    bool done = false;
    {
        stream to(write_part, &paper);
        done = print_report(to, name, {with.heap, own, heap_root, with.space});
    }
    return paper.error != 0 ? paper.error : done ? 0 : -EPERM;
}

} // namespace

int write_own_report(int fd, std::string_view name)
{
    if (!is_report(name))
        return -EINVAL;
    const std::size_t size = round_up(sizeof(desk), host::page_size());
    void* at = host::map(nullptr, size);
    if (at == nullptr)
        return -ENOMEM;
    const int error = write_on(*static_cast<desk*>(at), fd, name);
    host::unmap(at, size);
    return error;
}

} // namespace bsl
