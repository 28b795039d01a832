#!/bin/bash
# tar with gzip, bzip2, xz and zstd, the latter two with threads.
. "$(dirname "$0")/../lib.sh"
need tar gzip xz zstd

mkdir "$work/tree"
for i in 1 2 3 4; do words 20000 >"$work/tree/text$i"; seq $((i * 40000)) >"$work/tree/numbers$i"; done

# pack SUFFIX PROGRAM: packs the tree, and unpacks it again.
pack()
{
    tar --sort=name --mtime=@0 --owner=0 --group=0 -C "$work" -I "$2" -cf "tree.tar.$1" tree
    mkdir "$1" && tar -C "$1" -I "${2%% *}" -xf "tree.tar.$1"
    diff -r "$work/tree" "$1/tree" && echo "$1: as before"
    sha256sum "tree.tar.$1"
}

packing()
{
    pack gz 'gzip -n -6'
    pack xz 'xz -T2 -2'
    pack zst 'zstd -T2 -9 -q'
    zstd -q --train "$work"/tree/* -B2048 --maxdict=20000 -o dictionary && sha256sum dictionary
    zstd -q -17 -T2 --long=24 -c "$work/tree/text1" | zstd -q -dc --long=24 | sha256sum
    xz --format=lzma -1 -c "$work/tree/numbers1" | xz -dc | sha256sum
}

compare packing
served tar gzip xz zstd
