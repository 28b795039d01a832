/* A tree of numbers, in the kernel's style. */
#ifndef BUDDYSLAB_TESTS_RBTREE_H
#define BUDDYSLAB_TESTS_RBTREE_H

#include <stdbool.h>

struct rb_root;

int extent_cache_init(void);
void extent_cache_exit(void);
struct rb_root* rb_root_alloc(void);
void rb_root_free(struct rb_root* root);
/* 0: inserted; 1: is there already; below: an error. */
int extent_insert(struct rb_root* root, unsigned long start);
/* Is it a red-black tree of so many? */
bool rb_is_valid(const struct rb_root* root, unsigned long expected);
unsigned long* extents_sorted(const struct rb_root* root, unsigned long count);
void extents_sorted_free(unsigned long* sorted);

#endif
