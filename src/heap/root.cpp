#include "heap/root.hpp"

#include "arena/memblock.hpp"

namespace bsl
{

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

[[gnu::used]] constinit const heap_root_table heap_root{
    "buddyslab root",
    root_version,
    sizeof(heap_root_table),
    layout_number(),
    TEXT(BSL_VERSION_MAJOR) "." TEXT(BSL_VERSION_MINOR) "." TEXT(BSL_VERSION_PATCH),
    &state_of_arenas,
    &memblock_mapped_at,
    mem_sections,
    &zones_at,
    &state_of_reclaim,
    all_caches.data(),
    program_caches,
    &node_table_at,
    &dummy_sheaf,
    &vmalloc_counts_at,
    heap::requests,
};

// The note.  A distance, so that nothing in it has to be relocated.
asm(R"(
    .pushsection .note.buddyslab, "a", %note
    .balign 4
    .long 2f - 1f
    .long 4f - 3f
    .long 1
1:  .asciz "buddyslab"
2:  .balign 4
3:  .quad bsl_heap_root - 3b
4:  .balign 4
    .popsection
)");
static_assert(root_note_type == 1 && sizeof root_note_name == sizeof "buddyslab");

} // namespace bsl
