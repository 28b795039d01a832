/*
 * Code in the kernel's style: an intrusive red-black tree of intervals' ends, on a cache of its own,
 * with nothing in it that knows it is in user space.
 */
#include <buddyslab/linux/gfp.h>
#include <buddyslab/linux/slab.h>
#include <buddyslab/linux/vmalloc.h>

#include "rbtree.h"

struct rb_node
{
    struct rb_node *parent, *left, *right;
    bool red;
};

struct rb_root
{
    struct rb_node* node;
};

struct extent
{
    unsigned long start;
    unsigned long length;
    struct rb_node rb;
};

static struct kmem_cache* extent_cachep;

static void extent_init_once(void* p)
{
    struct extent* extent = p;

    extent->rb.parent = extent->rb.left = extent->rb.right = NULL;
    extent->length = 1;
}

int __init extent_cache_init(void)
{
    extent_cachep = kmem_cache_create("extent", sizeof(struct extent), __alignof__(struct extent),
                                      SLAB_HWCACHE_ALIGN | SLAB_RECLAIM_ACCOUNT, extent_init_once);
    return extent_cachep ? 0 : -1;
}

void __exit extent_cache_exit(void)
{
    kmem_cache_destroy(extent_cachep);
}

struct rb_root* rb_root_alloc(void)
{
    return kzalloc(sizeof(struct rb_root), GFP_KERNEL);
}

static struct rb_node** link_of(struct rb_root* root, struct rb_node* node)
{
    struct rb_node* parent = node->parent;

    if (!parent)
        return &root->node;
    return parent->left == node ? &parent->left : &parent->right;
}

static void rotate(struct rb_root* root, struct rb_node* node, bool to_left)
{
    struct rb_node* up = to_left ? node->right : node->left;
    struct rb_node** inner = to_left ? &up->left : &up->right;

    *link_of(root, node) = up;
    up->parent = node->parent;
    if (to_left)
        node->right = *inner;
    else
        node->left = *inner;
    if (*inner)
        (*inner)->parent = node;
    *inner = node;
    node->parent = up;
}

static void insert_color(struct rb_root* root, struct rb_node* node)
{
    while (node->parent && node->parent->red) {
        struct rb_node* parent = node->parent;
        struct rb_node* grand = parent->parent;
        bool is_left = grand->left == parent;
        struct rb_node* uncle = is_left ? grand->right : grand->left;

        if (uncle && uncle->red) {
            parent->red = uncle->red = false;
            grand->red = true;
            node = grand;
            continue;
        }
        if (node == (is_left ? parent->right : parent->left)) {
            rotate(root, parent, is_left);
            parent = node;
        }
        parent->red = false;
        grand->red = true;
        rotate(root, grand, !is_left);
        break;
    }
    root->node->red = false;
}

int extent_insert(struct rb_root* root, unsigned long start)
{
    struct rb_node** link = &root->node;
    struct rb_node* parent = NULL;
    struct extent* extent;

    while (*link) {
        struct extent* here = container_of(*link, struct extent, rb);

        parent = *link;
        if (start == here->start)
            return 1;
        link = start < here->start ? &parent->left : &parent->right;
    }
    extent = kmem_cache_alloc(extent_cachep, GFP_KERNEL);
    if (unlikely(!extent))
        return -1;
    if (extent->length != 1 || extent->rb.left || extent->rb.right)
        return -2; /* the constructor's state was lost */
    extent->start = start;
    extent->rb.parent = parent;
    extent->rb.red = true;
    *link = &extent->rb;
    insert_color(root, &extent->rb);
    return 0;
}

static int black_height(const struct rb_node* node, unsigned long* count)
{
    int left, right;

    if (!node)
        return 1;
    ++*count;
    if (node->red && ((node->left && node->left->red) || (node->right && node->right->red)))
        return -1;
    left = black_height(node->left, count);
    right = black_height(node->right, count);
    return left < 0 || left != right ? -1 : left + !node->red;
}

bool rb_is_valid(const struct rb_root* root, unsigned long expected)
{
    unsigned long count = 0;

    return black_height(root->node, &count) > 0 && count == expected;
}

static unsigned long copy_in_order(const struct rb_node* node, unsigned long* to, unsigned long n)
{
    if (!node)
        return n;
    n = copy_in_order(node->left, to, n);
    to[n++] = container_of(node, struct extent, rb)->start;
    return copy_in_order(node->right, to, n);
}

unsigned long* extents_sorted(const struct rb_root* root, unsigned long count)
{
    unsigned long* sorted = vmalloc(count * sizeof(*sorted));

    if (sorted)
        copy_in_order(root->node, sorted, 0);
    return sorted;
}

static void free_below(struct rb_node* node)
{
    struct extent* extent;

    if (!node)
        return;
    free_below(node->left);
    free_below(node->right);
    extent = container_of(node, struct extent, rb);
    extent_init_once(extent);
    kmem_cache_free(extent_cachep, extent);
}

void rb_root_free(struct rb_root* root)
{
    free_below(root->node);
    kfree(root);
}

void extents_sorted_free(unsigned long* sorted)
{
    vfree(sorted);
}
