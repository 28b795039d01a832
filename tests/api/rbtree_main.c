/* Runs the tree of rbtree.c: what goes in comes out in order, several times on the same cache. */
#include "rbtree.h"

#include <stdio.h>
#include <stdlib.h>

static void require(bool holds, const char* what)
{
    if (holds)
        return;
    fprintf(stderr, "does not hold: %s\n", what);
    exit(1);
}

int main(void)
{
    require(extent_cache_init() == 0, "the cache is made");
    for (unsigned round = 1; round <= 3; round++) {
        struct rb_root* root = rb_root_alloc();
        unsigned long count = 0;
        unsigned long seed = round;
        require(root != NULL, "a root");
        for (int i = 0; i < 50000; i++) {
            int result;
            seed = seed * 6364136223846793005UL + 1442695040888963407UL;
            result = extent_insert(root, seed >> 44);
            require(result >= 0, "an extent, constructed");
            count += result == 0;
        }
        require(rb_is_valid(root, count), "a red-black tree");
        unsigned long* sorted = extents_sorted(root, count);
        require(sorted != NULL, "a window");
        for (unsigned long i = 1; i < count; i++)
            require(sorted[i - 1] < sorted[i], "in order");
        extents_sorted_free(sorted);
        rb_root_free(root);
    }
    extent_cache_exit();
    return 0;
}
