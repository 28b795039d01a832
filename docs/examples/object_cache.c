/*
 * An object cache with a constructor: what is expensive to make is made once, and used many times.
 *
 * A connection has a buffer to be filled with a pattern and a table to be sorted out.  The constructor does
 * it when the cache makes a slab.  Whoever frees a connection leaves it as the constructor made it, and so
 * the next one who gets it has nothing to do.
 *
 * Output:
 *
 *     10000 connections were served, all of them constructed
 *     the constructor ran less than 100 times
 *     8 at once, or none
 *     everything was given back
 */
#include <buddyslab/kmem_cache.h>
#include <stdio.h>
#include <string.h>

struct connection
{
    int number;
    unsigned char table[2000];
};

static unsigned nr_constructed;

static void construct(void* object)
{
    struct connection* connection = object;
    connection->number = -1;
    memset(connection->table, 0x55, sizeof connection->table);
    nr_constructed++;
}

static int is_constructed(const struct connection* connection)
{
    return connection->number == -1 && connection->table[0] == 0x55;
}

static int serve(bsl_kmem_cache* connections, int number)
{
    struct connection* connection = bsl_kmem_cache_alloc(connections, BSL_GFP_KERNEL);
    if (connection == NULL || !is_constructed(connection))
        return 0;
    connection->number = number;
    /* ... work with it; then leave it as it was: */
    connection->number = -1;
    bsl_kmem_cache_free(connections, connection);
    return 1;
}

int main(void)
{
    bsl_kmem_cache* connections = bsl_kmem_cache_create("connection", sizeof(struct connection), 0,
                                                        BSL_SLAB_HWCACHE_ALIGN, construct);
    if (connections == NULL)
        return 1;
    int nr_served = 0;
    for (int i = 0; i < 10000; i++)
        nr_served += serve(connections, i);
    printf("%d connections were served, all of them constructed\n", nr_served);
    printf("the constructor ran %s than 100 times\n", nr_constructed < 100 ? "less" : "more");

    void* batch[8];
    if (bsl_kmem_cache_alloc_bulk(connections, BSL_GFP_KERNEL, 8, batch) != 8)
        return 1;
    printf("8 at once, or none\n");
    bsl_kmem_cache_free_bulk(connections, 8, batch);

    /* With objects in use this is -EBUSY, and a message names them. */
    if (bsl_kmem_cache_destroy(connections) == 0)
        printf("everything was given back\n");
    return 0;
}
