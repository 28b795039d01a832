#!/bin/sh
# Gate: what most programs never run lies behind malloc and what malloc runs (decision 0025).
#
#   seldom.sh LIBRARY
functions()
{
    readelf --dyn-syms -W "$1" | awk '$4 == "FUNC" && $7 != "UND" { sub(/@.*/, "", $8); print $2, $8 }' | sort
}
first=$(functions "$1" | grep ' bsl_' | head -1)
last=$(functions "$1" | grep -E ' (malloc|free|calloc|realloc|posix_memalign|_Zn[aw][a-zA-Z0-9_]*|_Zd[al][a-zA-Z0-9_]*)$' | tail -1)
[ -n "$first" ] && [ -n "$last" ] || { echo "$1 does not have both malloc and bsl_*"; exit 1; }
echo "the last of malloc's is $last, the first of bsl_* is $first"
[ "${first%% *}" \> "${last%% *}" ] || { echo "bsl_* functions lie among those that each program runs"; exit 1; }
