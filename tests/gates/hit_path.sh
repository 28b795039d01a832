#!/bin/sh
# Gate: the fast paths are as short as promised, take no lock and use no atomic instruction.
#
#   hit_path.sh LIBRARY
#
# Counts the instructions from the entry of malloc and of free to their first `ret`: on a hit none of
# the branches in between is taken.  free's count includes the check of the object freed last.
[ "$(uname -m)" = x86_64 ] || { echo "the counts are x86-64's"; exit 0; }

status=0
check()
{
    # By address: malloc and __libc_malloc are one function, and objdump knows it by one name.
    start=$(nm -D "$1" | awk -v name="$2" '$3 == name { print "0x" $1 }')
    body=$(objdump -d --no-show-raw-insn --start-address="${start:-0}" "$1" |
        awk '/>:$/ { on = 1; next } on && NF > 1 { print; if ($2 == "ret") exit }')
    count=$(printf '%s\n' "$body" | grep -c .)
    if ! printf '%s\n' "$body" | tail -1 | grep -q ret; then
        echo "$2 has no hit path that ends in ret"
        status=1
    elif [ "$count" -gt "$3" ]; then
        echo "$2: $count instructions on a hit, allowed are $3"
        status=1
    elif printf '%s\n' "$body" | grep -Ew 'lock|xchg|call|push'; then
        echo "$2: the hit path must not do that"
        status=1
    else
        echo "$2: $count instructions on a hit"
    fi
}
check "$1" malloc 16
check "$1" free 21
exit $status
