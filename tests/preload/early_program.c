/*
 * Allocations from constructors of all priorities, from atexit handlers and destructors, from an
 * ifunc resolver of the program (built with IN_RESOLVER), from a library linked to it (built with
 * WITH_LIBRARY), and from one it opens: early_program [library.so].
 */
#include "early_calls.h"

static struct early_objects from_first, from_last;

__attribute__((constructor(101))) static void construct_first(void)
{
    allocate_early(&from_first);
}

__attribute__((constructor)) static void construct_last(void)
{
    allocate_early(&from_last);
}

__attribute__((destructor)) static void destruct(void)
{
    void* p = malloc(777);
    CHECK(p, "malloc in a destructor");
    free(p);
}

static void* for_exit;

static void at_exit(void)
{
    free(for_exit);
    free(malloc(8 * MiB));
}

#ifdef IN_RESOLVER
static struct early_objects from_resolver;

static int answer(void)
{
    return 43;
}

static int (*resolve_answer(void))(void)
{
    allocate_early(&from_resolver);
    return answer;
}

static int program_answer(void) __attribute__((ifunc("resolve_answer")));

static void check_resolver(void)
{
    CHECK(program_answer() == 43, "the function behind the ifunc");
    check_early(&from_resolver, "ifunc resolver of the program");
}
#else
static void check_resolver(void) {}
#endif

#ifdef WITH_LIBRARY
void library_check(void);
#endif

/* A library opened again and again: its constructor allocates inside of dlopen(). */
static void open_library(const char* path)
{
    for (int i = 0; i < 30; i++) {
        void* library = dlopen(path, i % 2 ? RTLD_NOW : RTLD_LAZY);
        CHECK(library, "%s", dlerror());
        void (*check)(void) = (void (*)(void))dlsym(library, "library_check");
        CHECK(check, "%s", dlerror());
        check();
        CHECK(dlclose(library) == 0, "%s", dlerror());
    }
}

int main(int argc, char** argv)
{
    require_library();
    check_early(&from_first, "constructor of priority 101");
    check_early(&from_last, "constructor");
    check_resolver();
#ifdef WITH_LIBRARY
    library_check();
#endif
    if (argc > 1)
        open_library(argv[1]);
    for_exit = malloc(100);
    atexit(at_exit);
    return 0;
}
