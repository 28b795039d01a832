/*
 * A second preloaded library, whose constructors run before or after the allocator's own, by its
 * place in LD_PRELOAD.  EARLY says what it does there:
 *   atfork   register fork handlers that allocate
 *   keys     use up every pthread key of the process
 */
#include "check.h"
#include <pthread.h>

static void* held[2];
int early_handlers_run; /* read by fork_handlers */

static void before_fork(void)
{
    held[0] = malloc(100);
    held[1] = malloc(100 * KiB);
    CHECK(held[0] && held[1], "malloc in a prepare handler");
    memset(held[0], 1, 100);
}

static void after_fork(void)
{
    free(held[0]);
    free(held[1]);
    free(malloc(700));
    free(malloc(6 * MiB));
    early_handlers_run++;
}

static int told(const char* what)
{
    const char* early = getenv("EARLY");
    return early && strcmp(early, what) == 0;
}

__attribute__((constructor(101))) static void first(void)
{
    free(malloc(333));
    if (told("atfork"))
        pthread_atfork(before_fork, after_fork, after_fork);
    pthread_key_t key;
    while (told("keys") && pthread_key_create(&key, NULL) == 0)
        continue;
}

/* A second set, registered between the first and whatever the program registers. */
static void* also_held;

static void also_before_fork(void)
{
    also_held = malloc(5000);
}

static void also_after_fork(void)
{
    also_held = realloc(also_held, 50000);
    free(also_held);
}

__attribute__((constructor)) static void last(void)
{
    free(malloc(444));
    if (told("atfork"))
        pthread_atfork(also_before_fork, also_after_fork, also_after_fork);
}
