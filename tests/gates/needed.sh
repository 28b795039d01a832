#!/bin/sh
# Gate: the shared library needs libc and nothing else at run time.
#
#   needed.sh LIBRARY
needed=$(LC_ALL=C readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p') || exit 2
if [ "${needed:-libc.so.6}" != libc.so.6 ]; then
    echo "needed at run time: $needed"
    echo "allowed: libc.so.6"
    exit 1
fi
echo "needs libc only"
