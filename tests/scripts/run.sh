#!/bin/sh
# What scripts/run promises.
#
#   run.sh PROMISE
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
run=$root/scripts/run
library=$root/build/release/libbuddyslab.so
unset LD_PRELOAD BUDDYSLAB

# same GOT EXPECTED
same()
{
    [ "$1" = "$2" ] || { printf 'got:      %s\nexpected: %s\n' "$1" "$2"; exit 1; }
}

case $1 in
output)
    # both streams, byte for byte, and what comes in
    same "$(printf 'in\n' | "$run" sh -c 'cat; echo out; echo err >&2' 2>&1)" "$(printf 'in\nout\nerr')"
    ;;
status)
    status=0
    "$run" sh -c 'exit 42' || status=$?
    same $status 42
    same "$("$run" sh -c 'kill -SEGV $$' 2>/dev/null || echo $?)" 139
    ;;
stats)
    same "$("$run" --stats sh -c 'echo "$BUDDYSLAB"' 2>/dev/null)" 'report=exit'
    same "$(BUDDYSLAB=slab_debug=F "$run" --stats sh -c 'echo "$BUDDYSLAB"' 2>/dev/null)" \
        'slab_debug=F report=exit'
    same "$("$run" sh -c 'echo "${BUDDYSLAB-unset}"')" unset
    ;;
preload)
    same "$("$run" sh -c 'echo "$LD_PRELOAD"')" "$library"
    same "$(LD_PRELOAD=libm.so.6 "$run" sh -c 'echo "$LD_PRELOAD"')" "$library:libm.so.6"
    [ "$("$run" grep -c /libbuddyslab.so /proc/self/maps)" -gt 0 ]
    ;;
nothing_twice)
    # what is built stays as it is
    "$run" true
    before=$(stat -c %y "$root/build/release/run.stamp" "$(readlink -f "$library")")
    "$run" true
    same "$(stat -c %y "$root/build/release/run.stamp" "$(readlink -f "$library")")" "$before"
    ;;
relative)
    cd "$root/scripts"
    same "$(./run pwd)" "$root/scripts"
    same "$(bash run pwd)" "$root/scripts"
    ;;
*)
    echo "no such promise: $1"
    exit 2
    ;;
esac
echo "scripts/run keeps its promise: $1"
