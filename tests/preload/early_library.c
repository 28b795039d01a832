/*
 * A library that allocates before anybody should: in an ifunc resolver (IN_RESOLVER), and in
 * constructors and destructors.  Linked to a program or opened by it with dlopen().
 */
#include "early_calls.h"

static struct early_objects from_constructor;
static void* for_destructor;

#ifdef IN_RESOLVER
static struct early_objects from_resolver;

static int answer(void)
{
    return 42;
}

static int (*resolve_answer(void))(void)
{
    allocate_early(&from_resolver);
    return answer;
}

static int library_answer(void) __attribute__((ifunc("resolve_answer")));
#else
static int library_answer(void)
{
    return 42;
}
#endif

__attribute__((constructor)) static void construct(void)
{
    allocate_early(&from_constructor);
    for_destructor = malloc(12345);
}

__attribute__((destructor)) static void destruct(void)
{
    CHECK(for_destructor, "the constructor did not run");
    free(for_destructor);
    free(malloc(54321));
}

void library_check(void)
{
    CHECK(library_answer() == 42, "the function behind the ifunc");
    check_early(&from_constructor, "constructor of a library");
#ifdef IN_RESOLVER
    check_early(&from_resolver, "ifunc resolver of a library");
#endif
}
