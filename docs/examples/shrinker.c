/*
 * A shrinker: the program's own cache grows until memory is short, and then gives up what is oldest.
 *
 * Pictures can be drawn anew.  Their object cache has a limit in bytes; where it is reached, the library
 * asks the program's shrinkers before an allocation fails.  The same happens when the system gives no more
 * memory, and in malloc_trim().
 *
 * Output:
 *
 *     1000 pictures were drawn, none failed
 *     the last one is there
 *     the shrinker was asked
 */
#include <buddyslab/kmem_cache.h>
#include <buddyslab/shrinker.h>
#include <stdio.h>

struct picture
{
    struct picture* next; /* the one drawn after it */
    int number;
    char dots[4000];
};

static bsl_kmem_cache* cache;
static struct picture* oldest;
static struct picture** behind_newest = &oldest;
static unsigned long nr_pictures;
static unsigned nr_asked;

static unsigned long count(struct bsl_shrinker* shrinker, struct bsl_shrink_control* control)
{
    (void)shrinker;
    (void)control;
    return nr_pictures != 0 ? nr_pictures : BSL_SHRINK_EMPTY;
}

static unsigned long drop(struct bsl_shrinker* shrinker, struct bsl_shrink_control* control)
{
    (void)shrinker;
    unsigned long dropped = 0;
    nr_asked++;
    while (oldest != NULL && dropped < control->nr_to_scan) {
        struct picture* gone = oldest;
        oldest = gone->next;
        bsl_kmem_cache_free(cache, gone);
        nr_pictures--;
        dropped++;
    }
    if (oldest == NULL)
        behind_newest = &oldest;
    return dropped;
}

static struct picture* draw(int number)
{
    struct picture* picture = bsl_kmem_cache_alloc(cache, BSL_GFP_KERNEL);
    if (picture == NULL)
        return NULL;
    picture->number = number;
    picture->next = NULL;
    *behind_newest = picture;
    behind_newest = &picture->next;
    nr_pictures++;
    return picture;
}

int main(void)
{
    const struct bsl_kmem_cache_args args = {.size = sizeof args, .limit = 1 << 20};
    struct bsl_shrinker shrinker = {.count_objects = count, .scan_objects = drop, .batch = 16};
    cache = bsl_kmem_cache_create_args("picture", sizeof(struct picture), &args, BSL_SLAB_ACCOUNT);
    if (cache == NULL || bsl_register_shrinker(&shrinker) != 0)
        return 1;

    struct picture* last = NULL;
    for (int i = 0; i < 1000; i++) {
        last = draw(i);
        if (last == NULL)
            return 1;
    }
    printf("1000 pictures were drawn, none failed\n");
    if (last->number == 999)
        printf("the last one is there\n");
    if (nr_asked != 0)
        printf("the shrinker was asked\n");

    bsl_unregister_shrinker(&shrinker);
    struct bsl_shrink_control all = {.nr_to_scan = nr_pictures};
    drop(&shrinker, &all);
    return bsl_kmem_cache_destroy(cache) != 0;
}
