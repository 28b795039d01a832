#!/bin/bash
# find, grep, sed, awk, diff, less, man.
. "$(dirname "$0")/../lib.sh"
need find grep sed awk diff less

words 30000 >"$work/text"

searching()
{
    grep -c 'a[b-f]*7' "$work/text"
    grep -oE '(ab|cd|ef)[0-9a-f]{2,4}' "$work/text" | sort | uniq -c | sort -rn | head -n 5
    grep -vnF -f <(seq 1000 2000) "$work/text" | cksum
    grep -P '^(\d)(\d)\2\1 ' "$work/text" | tail -n 3
    find /usr/include /usr/share/doc -maxdepth 3 -name '*.h' -printf '%f %s\n' 2>/dev/null | sort | cksum
    find /etc -maxdepth 1 -type f -size -4k -print0 2>/dev/null | xargs -0 -n 5 -P 2 ls -d | sort | cksum
}

editing()
{
    sed -E 's/([a-z]+)([0-9a-f]+)/\2\1/g; /99/d; $!N; P; D' "$work/text" | cksum
    sed -n '1!G;h;$p' <(head -n 3000 "$work/text") | cksum
    awk '{ for (i = 2; i <= NF; i++) { n[substr($i, 1, 3)]++; last[$i] = NR } }
         END { for (w in n) print w, n[w]; print length(last) }' "$work/text" | sort | cksum
    awk '{ s = s $1 } END { print length(s); print gsub(/7/, "seven", s), length(s) }' "$work/text"
    sed 's/7/8/' "$work/text" | diff "$work/text" - | cksum
}

paging()
{
    less -FX +G "$work/text" | tail -n 2
    head -n 300 "$work/text" | less | cksum
}

compare searching
compare editing
compare paging
served grep find xargs sed 'mawk|gawk|awk' diff less
