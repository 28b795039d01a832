#!/bin/sh
# Gate: each public header compiles alone, the C ones as C99 and as C++20, without a warning.
#
#   headers.sh ROOT
strict='-Wall -Wextra -Wpedantic -Wundef -Werror -fsyntax-only'
status=0

# alone HEADER COMPILER OPTIONS...
alone()
{
    header=$1
    shift
    # shellcheck disable=SC2086  # a list of words
    if ! printf "#include <buddyslab/%s>\nextern int not_empty;\n" "$header" |
        "$@" $strict -I include -; then
        echo "$header does not compile alone: $*"
        status=1
    fi
}

cd "$1" || exit 2
for path in include/buddyslab/*.h include/buddyslab/*/*.h include/buddyslab/*.hpp; do
    [ -e "$path" ] || continue
    name=${path#include/buddyslab/}
    case $path in
    *.h) alone "$name" "${CC:-cc}" -std=c99 -x c ;;
    esac
    alone "$name" "${CXX:-c++}" -std=c++20 -x c++
done
[ $status -ne 0 ] || echo "each public header compiles alone"
exit $status
