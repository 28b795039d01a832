# The library's sources, room by room: one line per file.

set(BUDDYSLAB_SOURCES
    # base: pure code without state

    # host: the only room that calls the kernel or libc

    # config: every number there is

    # locking

    # arena: address space, cut into pages

    # buddy: blocks of pages

    # slab: objects

    # vmalloc: what is larger than a block

    # heap: the meaning of malloc

    # proc: reports

    # api: the exported bsl_* functions
    src/api/version.cpp
)

# What takes over the names of libc and of the C++ runtime.  new_delete.cpp is the one file that is
# built with exceptions.
set(BUDDYSLAB_PRELOAD_SOURCES
)
