# The library's sources, room by room: one line per file.

set(BUDDYSLAB_OFTEN_SOURCES
    # base: pure code without state
    src/base/format.cpp

    # host: the only room that calls the kernel or libc
    src/host/clear.cpp
    src/host/clock.cpp
    src/host/futex.cpp
    src/host/memory.cpp
    src/host/sysinfo.cpp
    src/host/thread.cpp
    src/host/vm.cpp

    # config: every number there is
    src/config/params.cpp

    # locking
    src/locking/mutex.cpp

    # arena: address space, cut into pages
    src/arena/arena.cpp
    src/arena/class_map.cpp
    src/arena/huge_pages.cpp
    src/arena/mem_section.cpp
    src/arena/memblock.cpp
    src/arena/node.cpp

    # buddy: blocks of pages
    src/buddy/free_area.cpp
    src/buddy/pageset.cpp
    src/buddy/reclaim.cpp
    src/buddy/zone.cpp
    src/buddy/zone_table.cpp
    src/buddy/zonelist.cpp

    # slab: objects
    src/slab/barn.cpp
    src/slab/cache_table.cpp
    src/slab/flush.cpp
    src/slab/kmem_cache.cpp
    src/slab/kmem_cache_node.cpp
    src/slab/shard.cpp
    src/slab/sheaf.cpp
    src/slab/slab.cpp

    # heap: the meaning of malloc
    src/heap/allocation.cpp
    src/heap/boot.cpp
    src/heap/calls.cpp
    src/heap/early.cpp
    src/heap/heap.cpp
    src/heap/large_cache.cpp
    src/heap/realloc.cpp
    src/heap/registry.cpp
    src/heap/room.cpp
    src/heap/thread_drain.cpp
    src/heap/thread_frames.cpp
    src/heap/thread_heap.cpp
    src/heap/windows.cpp

    # proc: is a report due at the end?
    src/proc/exit_report.cpp
)

# What a program that only allocates seldom runs, or never: laid behind the rest (decision 0025).
set(BUDDYSLAB_SELDOM_SOURCES
    # host: files and messages
    src/host/console.cpp
    src/host/file.cpp
    src/host/signal.cpp

    # locking: lockdep
    src/locking/lockdep.cpp

    # arena: below 4 GiB
    src/arena/low_memory.cpp

    # slab: the caches of the program, holes, slab_debug, misuse
    src/slab/atomic.cpp
    src/slab/debug.cpp
    src/slab/heap_slab.cpp
    src/slab/holes.cpp
    src/slab/misuse.cpp
    src/slab/program_cache.cpp

    # vmalloc: what is larger than a block
    src/vmalloc/adjacent.cpp
    src/vmalloc/cma.cpp
    src/vmalloc/exchange.cpp
    src/vmalloc/lending.cpp
    src/vmalloc/vm_area.cpp
    src/vmalloc/vmalloc.cpp
    src/vmalloc/window_lists.cpp

    # heap: forks, page frames, the program's caches and heaps
    src/heap/atomic.cpp
    src/heap/fork.cpp
    src/heap/frame_reserve.cpp
    src/heap/heap_misuse.cpp
    src/heap/object_caches.cpp
    src/heap/page_frames.cpp
    src/heap/private_heap.cpp
    src/heap/private_heap_pages.cpp
    src/heap/private_heaps.cpp
    src/heap/root.cpp
    src/heap/shrinkers.cpp
    src/heap/thread_nodes.cpp
    src/heap/thread_programs.cpp

    # proc: reports
    src/proc/books.cpp
    src/proc/heap_totals.cpp
    src/proc/own_report.cpp
    src/proc/report.cpp
    src/proc/report_json.cpp
    src/proc/report_kernel.cpp
    src/proc/report_prometheus.cpp
    src/proc/report_text.cpp
    src/proc/snapshot.cpp
    src/proc/walk_caches.cpp
    src/proc/walk_pages.cpp

    # api: the exported bsl_* functions
    src/api/cma.cpp
    src/api/heap.cpp
    src/api/kmalloc.cpp
    src/api/kmem_cache.cpp
    src/api/malloc.cpp
    src/api/pages.cpp
    src/api/params.cpp
    src/api/shrinker.cpp
    src/api/stats.cpp
    src/api/version.cpp
)

# In this order: of a function that several files have inline, the first one's copy is taken.
set(BUDDYSLAB_SOURCES ${BUDDYSLAB_OFTEN_SOURCES} ${BUDDYSLAB_SELDOM_SOURCES})

# What takes over the names of libc and of the C++ runtime.  new_delete.cpp is the one file that is
# built with exceptions.
set(BUDDYSLAB_PRELOAD_SOURCES
    preload/glibc.cpp
    preload/malloc.cpp
    preload/new_delete.cpp
)

# The command `buddyslab`: the room tool, and what it shares with the library's own reports.
set(BUDDYSLAB_COMMAND_SOURCES
    src/base/format.cpp
    src/host/console.cpp
    src/host/file.cpp
    src/proc/books.cpp
    src/proc/report.cpp
    src/proc/report_json.cpp
    src/proc/report_kernel.cpp
    src/proc/report_prometheus.cpp
    src/proc/report_text.cpp
    src/proc/snapshot.cpp
    src/proc/walk_caches.cpp
    src/proc/walk_pages.cpp
    src/tool/clock.cpp
    src/tool/compare.cpp
    src/tool/core.cpp
    src/tool/heap_image.cpp
    src/tool/launch.cpp
    src/tool/main.cpp
    src/tool/map.cpp
    src/tool/map_page.cpp
    src/tool/map_svg.cpp
    src/tool/options.cpp
    src/tool/output.cpp
    src/tool/process.cpp
    src/tool/reports.cpp
    src/tool/run.cpp
    src/tool/screen.cpp
    src/tool/target.cpp
    src/tool/top.cpp
    src/tool/why.cpp
)
