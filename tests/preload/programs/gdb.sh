#!/bin/bash
# gdb -batch: reads symbols, runs a program (which is served too), stops in it, and prints.
. "$(dirname "$0")/../lib.sh"
need gdb gcc

cat >"$work/victim.c" <<'END'
#include <stdlib.h>
#include <string.h>
struct node { struct node* next; char name[20]; };
static struct node* last(struct node* n) { return n->next ? last(n->next) : n; }
int main(void)
{
    struct node* list = NULL;
    for (int i = 0; i < 10; i++) {
        struct node* n = malloc(sizeof *n);
        n->next = list;
        strcpy(n->name, "a node");
        n->name[0] = (char)('a' + i);
        list = n;
    }
    return last(list)->name[0] != 'a';
}
END
gcc -g -O0 -o "$work/victim" "$work/victim.c"

debugging()
{
    gdb -nx -batch -iex 'set debuginfod enabled off' -ex 'break last if n->next == 0' -ex run -ex 'print n->name' \
        -ex 'info symbol last' -ex 'up 3' -ex 'print n->name' -ex 'ptype n' -ex continue "$work/victim" 2>/dev/null |
        grep -v 'process\|hread\|^Using\|^warning' | sed 's/0x[0-9a-f]*/ADDRESS/g'
}

compare debugging
served gdb victim
