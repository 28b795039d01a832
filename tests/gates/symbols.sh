#!/bin/sh
# Gate: the shared library exports what the list names, no more and no less, and malloc & co.
# without a version (see src/libbuddyslab.map).
#
#   symbols.sh LIBRARY LIST
export LC_ALL=C
exported=$(nm -D --defined-only "$1") || exit 2
if ! echo "$exported" | awk '$2 != "A" { print $3 }' | sort | diff "$2" - ; then
    echo "'>': exported, but not in ${2##*/}; '<': the other way round"
    exit 1
fi
echo "the library exports what the list names"
