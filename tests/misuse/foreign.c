/* Pointers that this heap never gave out, to every call that takes one: known at once. */
#include "misuse.h"
#include <sys/mman.h>

static void expect_foreign(const char* entry, const void* p)
{
    expect_bug(entry, p,
               "not from this heap: no arena and no window holds this address "
               "\\(arenas: [0-9]+ between 0x[0-9a-f]+ and 0x[0-9a-f]+; windows: [0-9]+\\)");
}

/* The heap is in use, so that it has an arena whose place can be told. */
static void use_heap(void)
{
    void* p = malloc(100);
    memset(p, 1, 100);
    free(p);
}

static void free_foreign(void* p)
{
    use_heap();
    expect_foreign("free", p);
    free(p);
}

static char in_static_memory[256];

static void stack_pointer(void)
{
    char on_the_stack[256];
    memset(on_the_stack, 1, sizeof on_the_stack);
    free_foreign(on_the_stack + 64);
}

static void static_pointer(void)
{
    free_foreign(in_static_memory + 64);
}

static void code_pointer(void)
{
    free_foreign((void*)(uintptr_t)&use_heap);
}

static void mapped_pointer(void)
{
    char* p = mmap(NULL, 8 * MiB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED, "mmap");
    free_foreign(p + 4 * MiB);
}

/* Not even an address: a tag in the upper bits, or the content of freed memory. */
static void non_canonical_pointer(void)
{
    free_foreign((void*)0xdeadbeefdeadbee0u);
}

static void small_number(void)
{
    free_foreign((void*)8);
}

static void highest_address(void)
{
    free_foreign((void*)(UINTPTR_MAX - 15));
}

static void realloc_of_foreign(void)
{
    use_heap();
    expect_foreign("realloc", in_static_memory);
    CHECK(realloc(in_static_memory, 1000), "NULL");
}

static void realloc_to_nothing_of_foreign(void)
{
    use_heap();
    volatile size_t zero = 0;
    expect_foreign("realloc", in_static_memory);
    CHECK(!realloc(in_static_memory, zero), "not NULL");
}

static void usable_size_of_foreign(void)
{
    use_heap();
    expect_foreign("malloc_usable_size", in_static_memory);
    CHECK(malloc_usable_size(in_static_memory) == 0, "a size");
}

static void free_sized_of_foreign(void)
{
    void (*free_sized_of_library)(void*, size_t);
    *(void**)&free_sized_of_library = dlsym(RTLD_DEFAULT, "free_sized");
    CHECK(free_sized_of_library, "there is no free_sized");
    use_heap();
    expect_foreign("free_sized", in_static_memory);
    free_sized_of_library(in_static_memory, sizeof in_static_memory);
}

const struct misuse_case misuse_cases[] = {
    {"stack_pointer", stack_pointer},
    {"static_pointer", static_pointer},
    {"code_pointer", code_pointer},
    {"mapped_pointer", mapped_pointer},
    {"non_canonical_pointer", non_canonical_pointer},
    {"small_number", small_number},
    {"highest_address", highest_address},
    {"realloc_of_foreign", realloc_of_foreign},
    {"realloc_to_nothing_of_foreign", realloc_to_nothing_of_foreign},
    {"usable_size_of_foreign", usable_size_of_foreign},
    {"free_sized_of_foreign", free_sized_of_foreign},
    {NULL, NULL},
};
