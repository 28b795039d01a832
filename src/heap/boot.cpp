#include "heap/boot.hpp"

#include "arena/arena.hpp"
#include "arena/node.hpp"
#include "config/params.hpp"
#include "heap/calls.hpp"
#include "heap/fork.hpp"
#include "heap/registry.hpp"
#include "heap/root.hpp"
#include "host/vm.hpp"
#include "slab/debug.hpp"

namespace bsl
{

namespace
{

constinit bool booted = false;

/// Among the first constructors to run; the loader passes what main() will get.
[[gnu::constructor(101)]] void boot(int, char**, char** environment)
{
    if (booted)
        return;
    asm volatile("" : : "r"(&heap_root)); // so that a static link does not leave it out
    load_params_from(environment);
    name_arenas();
    // To ask first costs a tenth of opening a file, at the start of each program.
    if (param.numa_fake != 0 || (param.numa == 0 && !host::is_confined_to_one_node()))
        set_up_nodes(static_cast<unsigned>(param.numa_fake));
    set_up_shards();
    set_up_slab_debug();
    set_up_fork();
    heap::set_up_counting();
    open_registry();
    booted = true;
}

} // namespace

bool has_booted()
{
    return booted;
}

} // namespace bsl
