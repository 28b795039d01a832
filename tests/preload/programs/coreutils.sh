#!/bin/bash
# coreutils on some tens of megabytes: programs that allocate much at once, and some with threads.
. "$(dirname "$0")/../lib.sh"
need sort join sha256sum

words 120000 >"$work/text"
seq 200000 | rev >"$work/numbers"

sorting()
{
    sort "$work/text" | sha256sum
    sort -n --parallel=2 -S 8M "$work/numbers" | sha256sum
    sort -k2,2r -k1,1n -u "$work/text" | tail -n 3
    sort --compress-program=gzip -S 1M -T . "$work/numbers" | sha256sum
    cut -d' ' -f2 "$work/text" | sort | uniq -c | sort -rn -k1,1 -k2 | head -n 5
    shuf --random-source="$work/text" "$work/numbers" | sha256sum
}

filters()
{
    wc "$work/text"
    tac "$work/text" | sha256sum
    rev <"$work/text" | tr a-m n-z | sha512sum
    sort "$work/text" >sorted
    sort "$work/numbers" >other
    join sorted other | md5sum
    comm -12 sorted other | wc -l
    paste "$work/numbers" "$work/text" | cut -f1 | fold -w 5 | cksum
    nl "$work/text" | tail -n 2
    od -A d -t x4 "$work/text" | tail -n 2
    base64 "$work/text" | base64 -d | cmp - "$work/text" && echo round
    split -n l/40 "$work/text" part. && cat part.* | cksum
    expand "$work/text" | fmt | pr -t -2 | b2sum
    factor 1234567890123456789 98765432109876543210987654321
    printf '%s\n' one two three four | tsort
}

files()
{
    mkdir -p tree/{a,b,c}/{1,2,3}/{x,y}
    for folder in tree/*/*/*; do cp "$work/numbers" "$folder/file"; done
    ls -lR --time-style=+ tree | grep -v total | awk '{print $1, $5, $6}' | sha256sum
    du -a --apparent-size tree | sort | sha256sum
    cp -r tree copy && mv copy moved && ln -s moved link && readlink -f link | tail -c 6
    stat -c '%n %s %F' tree/*/* | sort | tail -n 2
    dd if="$work/text" bs=3M status=none | sum
}

compare sorting
compare filters
compare files
served sort uniq wc sha256sum tac join cut tr paste shuf split comm nl fold od base64 ls cp du dd factor
