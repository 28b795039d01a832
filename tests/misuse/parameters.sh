#!/bin/bash
# What the library says to the environment variable BUDDYSLAB: a name or value it does not know is
# reported, once in a process and its forks, and ignored.
#
#   parameters.sh CASE USER       USER is a program that allocates, forks, and prints "served"
set -u
user=$2

# expect PARAMETERS LINE...: standard error has exactly these lines, and the program is served.
expect()
{
    local parameters=$1 printed expected=
    shift
    [ $# -eq 0 ] || expected=$(printf '%s\n' "$@")
    printed=$(BUDDYSLAB=$parameters LD_PRELOAD=$BUDDYSLAB_LIB "$user" 2>&1 >/dev/null)
    [ "$printed" = "$expected" ] ||
        { printf 'BUDDYSLAB="%s" printed\n%s\ninstead of\n%s\n' "$parameters" "$printed" "$expected"; exit 1; }
    [ "$(BUDDYSLAB=$parameters LD_PRELOAD=$BUDDYSLAB_LIB "$user" 2>/dev/null)" = served ] ||
        { printf 'with BUDDYSLAB="%s" the program is not served\n' "$parameters"; exit 1; }
}

case $1 in
nothing)
    expect ''
    expect ' '
    expect 'slab_debug=F'
    expect 'report=none'
    ;;
unknown_name)
    expect 'foo' "buddyslab: BUDDYSLAB: unknown parameter 'foo'"
    expect 'foo=1' "buddyslab: BUDDYSLAB: unknown parameter 'foo'"
    ;;
wrong_value)
    expect 'report=bar' 'buddyslab: BUDDYSLAB: report=bar: expected one of: none exit'
    ;;
several)
    expect 'foo slab_debug=F report=bar oops=3' \
        "buddyslab: BUDDYSLAB: unknown parameter 'foo'" \
        'buddyslab: BUDDYSLAB: report=bar: expected one of: none exit' \
        "buddyslab: BUDDYSLAB: unknown parameter 'oops'"
    ;;
wrong_beside_right)
    # The one that is right still counts.
    printed=$(BUDDYSLAB='foo report=exit' LD_PRELOAD=$BUDDYSLAB_LIB "$user" 2>&1 >/dev/null)
    [ "$(grep -c "unknown parameter 'foo'" <<<"$printed")" = 1 ] && grep -q '^buddyslab: calls: ' <<<"$printed" ||
        { echo "printed: $printed"; exit 1; }
    ;;
*)
    echo "no such case: $1"
    exit 2
    ;;
esac
