#!/bin/sh
# Gate: no name of ours may be one that system headers define as a macro on some systems.  The headers
# in include/buddyslab/linux are there for whoever wants exactly those.
#
#   names.sh ROOT
cd "$1" || exit 2
if grep -rnwE 'PAGE_SIZE|PAGE_SHIFT|PAGE_MASK|MAX_ORDER' --include='*.h' --include='*.hpp' \
    --include='*.c' --include='*.cpp' --include='*.def' --exclude-dir=linux src include preload; then
    echo "these names are not ours to define: system headers have macros of that name"
    exit 1
fi
echo "no forbidden name"
