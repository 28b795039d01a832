/*
 * Code as for the kernel: a table of names, on a cache of its own, by the kernel's plain names.
 *
 * <buddyslab/linux/...> has them.  Nothing in the first part knows that it is in user space.
 *
 * Output:
 *
 *     2 of 3 names are new
 *     ext4 has 1, xfs has 2, ntfs has 0
 */
#include <buddyslab/linux/gfp.h>
#include <buddyslab/linux/slab.h>
#include <buddyslab/linux/vmalloc.h>

#include <string.h>

#define NAME_BUCKETS 4096u

struct name_entry {
    struct name_entry *next;
    char *name;
    int id;
};

static struct kmem_cache *name_cachep;
static struct name_entry **name_table;

static struct name_entry **name_bucket(const char *name)
{
    unsigned int hash = 5381;

    while (*name)
        hash = hash * 33 + (unsigned char)*name++;
    return &name_table[hash % NAME_BUCKETS];
}

static int name_lookup(const char *name)
{
    struct name_entry *entry;

    for (entry = *name_bucket(name); entry; entry = entry->next)
        if (!strcmp(entry->name, name))
            return entry->id;
    return 0;
}

static int name_insert(const char *name, int id)
{
    struct name_entry **bucket = name_bucket(name);
    struct name_entry *entry;

    if (name_lookup(name))
        return 0;
    entry = kmem_cache_alloc(name_cachep, GFP_KERNEL);
    if (unlikely(!entry))
        return -1;
    entry->name = kstrdup(name, GFP_KERNEL);
    if (unlikely(!entry->name)) {
        kmem_cache_free(name_cachep, entry);
        return -1;
    }
    entry->id = id;
    entry->next = *bucket;
    *bucket = entry;
    return 1;
}

static int __init name_init(void)
{
    name_cachep = KMEM_CACHE(name_entry, SLAB_HWCACHE_ALIGN);
    if (!name_cachep)
        return -1;
    name_table = vzalloc(NAME_BUCKETS * sizeof(*name_table));
    if (!name_table) {
        kmem_cache_destroy(name_cachep);
        return -1;
    }
    return 0;
}

static void __exit name_exit(void)
{
    unsigned int i;

    for (i = 0; i < NAME_BUCKETS; i++) {
        struct name_entry *entry = name_table[i];

        while (entry) {
            struct name_entry *next = entry->next;

            kfree(entry->name);
            kmem_cache_free(name_cachep, entry);
            entry = next;
        }
    }
    vfree(name_table);
    kmem_cache_destroy(name_cachep);
}

/* --- user space ------------------------------------------------------------------------------- */

#include <stdio.h>

int main(void)
{
    int nr_new;

    if (name_init())
        return 1;
    nr_new = name_insert("ext4", 1) + name_insert("xfs", 2) + name_insert("ext4", 3);
    printf("%d of 3 names are new\n", nr_new);
    printf("ext4 has %d, xfs has %d, ntfs has %d\n", name_lookup("ext4"), name_lookup("xfs"),
           name_lookup("ntfs"));
    name_exit();
    return 0;
}
