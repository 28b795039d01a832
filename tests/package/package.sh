#!/bin/sh
# Installs the package into a temporary prefix and uses it from there.
#
#   package.sh cmake|pkg_config|preload|command|moved BUILD_TREE
set -eu
here=$(cd "$(dirname "$0")" && pwd)
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
export LC_ALL=C
usr=$prefix/usr

cmake --install "$2" --prefix "$usr" >"$prefix/log" || { cat "$prefix/log"; exit 1; }
libdir=$(dirname "$(find "$prefix" -name libbuddyslab.so)")
version=$(sed -n 's/^Version: //p' "$libdir/pkgconfig/buddyslab.pc")

# says_version COMMAND...: the consumer prints the version of the package
says_version()
{
    said=$(LD_LIBRARY_PATH=$libdir "$@")
    if [ "$said" != "$version" ]; then
        echo "$*: said '$said', not '$version'"
        exit 1
    fi
}

# needs PROGRAM: it is linked with the shared library
needs()
{
    readelf -d "$1" | grep -q 'NEEDED.*libbuddyslab.so.0' || { echo "$1 lacks the library"; exit 1; }
}

by_cmake()
{
    for with_cxx in OFF ON; do
        tree=$prefix/consumer_$with_cxx
        {
            cmake -S "$here/consumer" -B "$tree" -DCMAKE_PREFIX_PATH="$usr" -DWITH_CXX=$with_cxx
            cmake --build "$tree"
        } >"$prefix/log" 2>&1 || { cat "$prefix/log"; exit 1; }
        says_version "$tree/shared"
        says_version "$tree/static"
        needs "$tree/shared"
    done
    # 0.x: another minor version is another interface
    if cmake -S "$here/consumer" -B "$prefix/other" -DCMAKE_PREFIX_PATH="$usr" \
        -DWANTED_VERSION=0.0 >"$prefix/log" 2>&1; then
        echo "version 0.0 was asked for, and $version taken"
        exit 1
    fi
}

by_pkg_config()
{
    flags=$(PKG_CONFIG_PATH=$libdir/pkgconfig pkg-config --cflags --libs buddyslab)
    # shellcheck disable=SC2086  # a list of words
    {
        ${CC:-cc} -std=c99 "$here/consumer/consumer.c" -o "$prefix/c" $flags
        ${CXX:-c++} -std=c++20 "$here/consumer/consumer.cpp" -o "$prefix/cxx" $flags
    }
    for program in c cxx; do
        says_version "$prefix/$program"
        needs "$prefix/$program"
    done
}

case $1 in
cmake) by_cmake ;;
pkg_config) by_pkg_config ;;
preload)
    mapped=$(LD_PRELOAD="$libdir/libbuddyslab.so.0" grep -c "$libdir/libbuddyslab.so" /proc/self/maps)
    [ "$mapped" -gt 0 ] || { echo "the installed library is not in the process"; exit 1; }
    ;;
command)
    # the command finds the library where it is installed, and the heap of a process that has it
    mapped=$("$usr/bin/buddyslab" run grep -c "$libdir/libbuddyslab.so" /proc/self/maps)
    [ "$mapped" -gt 0 ] || { echo "the installed command does not find the installed library"; exit 1; }
    "$usr/bin/buddyslab" run sleep 100 &
    sleeper=$!
    tries=200
    until "$usr/bin/buddyslab" slabinfo $sleeper >"$prefix/slabs" 2>"$prefix/log"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || { cat "$prefix/log"; kill $sleeper; exit 1; }
        sleep 0.05
    done
    kill $sleeper
    grep -q '^kmalloc-64 ' "$prefix/slabs"
    # a heap that is part of the program can be looked into too
    printf '%s\n' '#include <buddyslab/buddyslab.h>' '#include <unistd.h>' \
        'int main(void) { for (int i = 0; i < 1000; i++) if (!bsl_malloc(64)) return 1;' \
        'return write(1, "", 1) != 1 || read(0, &(char){0}, 1) != 0; }' >"$prefix/part.c"
    ${CC:-cc} -w -I "$usr/include" "$prefix/part.c" "$libdir/libbuddyslab.a" -Wl,--gc-sections -o "$prefix/part"
    mkfifo "$prefix/end" "$prefix/ready"
    "$prefix/part" <"$prefix/end" >"$prefix/ready" &
    part=$!
    exec 3>"$prefix/end"
    head -c 1 "$prefix/ready" >/dev/null
    "$usr/bin/buddyslab" slabinfo $part >"$prefix/slabs"
    exec 3>&-
    wait $part
    grep -q '^kmalloc-64 *1000 ' "$prefix/slabs" || { cat "$prefix/slabs"; exit 1; }
    ;;
moved)
    mv "$usr" "$usr.moved"
    libdir=$usr.moved${libdir#"$usr"}
    usr=$usr.moved
    by_cmake
    by_pkg_config
    ;;
esac
echo "the package works: $1"
