/*
 * Figures of the heap: as a struct, and as a report.
 *
 * The report goes to standard error here; any file descriptor will do, also in a signal handler.  From
 * outside of the process the command `buddyslab stat PID` prints it.
 *
 * Output:
 *
 *     1000 objects more, and 100 KiB or a little more in use
 *     and then they were free again
 */
#include <buddyslab/malloc.h>
#include <buddyslab/stats.h>
#include <stdio.h>

enum
{
    nr_blocks = 1000
};

int main(void)
{
    static void* blocks[nr_blocks];
    struct bsl_stats before = {.size = sizeof before};
    struct bsl_stats within = {.size = sizeof within};
    struct bsl_stats after = {.size = sizeof after};

    bsl_get_stats(&before);
    for (int i = 0; i < nr_blocks; i++)
        blocks[i] = bsl_malloc(100);
    bsl_get_stats(&within);
    for (int i = 0; i < nr_blocks; i++)
        bsl_free(blocks[i]);
    bsl_get_stats(&after);

    /* Objects count at the size of their class, which is 112 for 100 bytes. */
    const size_t bytes = within.in_use - before.in_use;
    printf("%zu objects more, and %s in use\n", within.nr_objects - before.nr_objects,
           bytes >= 100 * nr_blocks && bytes <= 128 * nr_blocks ? "100 KiB or a little more"
                                                                : "something else");
    if (after.nr_objects == before.nr_objects)
        printf("and then they were free again\n");

    return bsl_stats_print(2, "text") != 0;
}
