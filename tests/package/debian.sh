#!/bin/bash
# Builds the Debian packages, installs them into a root of their own, and uses them from there: nothing of
# this machine changes, and no rights are needed.
#
#   debian.sh [PROMISE...]          all of them if none is named
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C DEBFULLNAME='A Maintainer' DEBEMAIL=maintainer@debian.org
export DPKG_DEB_COMPRESSOR_TYPE=gzip DPKG_DEB_COMPRESSOR_LEVEL=1 # it is thrown away soon
unset LD_PRELOAD BUDDYSLAB

fail()
{
    echo "$*"
    exit 1
}

# quietly COMMAND...: its output only matters if it fails
quietly()
{
    "$@" >"$work/log" 2>&1 || { cat "$work/log"; fail "failed: $*"; }
}

# same GOT EXPECTED
same()
{
    [ "$1" = "$2" ] || fail "$(printf 'got:      %s\nexpected: %s\n' "$1" "$2")"
}

quietly "$here/../../scripts/package" "$work/debs"
debs=("$work"/debs/{libbuddyslab0,libbuddyslab-dev,buddyslab}_*.deb)
triplet=$(dpkg-architecture -qDEB_HOST_MULTIARCH)

# What the packages depend on, this machine has: dpkg is told so, and so checks that nothing else is wanted.
root=$work/root
mkdir -p "$root/var/lib/dpkg"/{info,updates,triggers}
for package in libc6 libgcc-s1 gcc-12-base libstdc++6 libncurses6 libtinfo6; do
    dpkg-query -s $package | sed -e '/^Depends:/d; /^Conffiles:/,/^[^ ]/{/^[ C]/d}'
    echo
done >"$root/var/lib/dpkg/status"
as_root=
[ "$(id -u)" -eq 0 ] || as_root=fakeroot
quietly $as_root dpkg --root="$root" --force-not-root --force-script-chrootless --log=/dev/null -i "${debs[@]}"
libdir=$root/usr/lib/$triplet
library=$libdir/libbuddyslab.so.0
version=$(dpkg-deb -f "${debs[0]}" Version)

# --- the promises ------------------------------------------------------------------------------

# dpkg and lintian find nothing wrong
promise_lintian()
{
    quietly lintian --allow-root --fail-on error,warning --no-cfg "${debs[@]}"
}

# who links the library, depends on its package, in the version that brought what it uses
promise_depends()
{
    mkdir -p "$work/user/debian"
    cd "$work/user"
    printf 'Source: user\n\nPackage: user\nArchitecture: any\n' >debian/control
    echo 'extern const char *bsl_version(void); int main(void) { return !bsl_version(); }' |
        ${CC:-cc} -xc - -L"$libdir" -lbuddyslab -o user
    dpkg-deb --raw-extract "${debs[0]}" "$work/unpacked"
    quietly dpkg-shlibdeps -O -S"$work/unpacked" user
    grep -q "libbuddyslab0 (>= 0.1)" "$work/log" || fail "$(cat "$work/log")"
    [ "$(dpkg-deb -f "${debs[1]}" Depends)" = "libbuddyslab0 (= $version)" ] || fail "-dev takes any library"
    same "$(dpkg-deb -f "${debs[0]}" Multi-Arch)" same
    dpkg-deb --ctrl-tarfile "${debs[0]}" | tar -xO ./triggers | grep -q '^activate-noawait ldconfig$' ||
        fail "the library's package does not have ldconfig run"
}

# programs are compiled against what is in the root, and run on it
promise_compile()
{
    export PKG_CONFIG_LIBDIR=$libdir/pkgconfig
    same "$(pkg-config --modversion buddyslab)" "$version"
    flags=$(pkg-config --cflags --libs buddyslab)
    # shellcheck disable=SC2086  # a list of words
    quietly ${CC:-cc} -std=c99 "$here/consumer/consumer.c" -o "$work/c" $flags
    # shellcheck disable=SC2086
    quietly ${CXX:-c++} -std=c++20 "$here/consumer/consumer.cpp" -o "$work/cxx" $flags
    for program in "$work/c" "$work/cxx"; do
        same "$(LD_LIBRARY_PATH=$libdir "$program")" "$version"
    done
    quietly cmake -S "$here/consumer" -B "$work/tree" -DCMAKE_PREFIX_PATH="$root/usr" \
        -DCMAKE_LIBRARY_ARCHITECTURE="$triplet"
    quietly cmake --build "$work/tree"
    same "$("$work/tree/shared")" "$version"
    same "$("$work/tree/static")" "$version"
}

# any program runs on the library, by its name and by the command
promise_run()
{
    for way in "env LD_PRELOAD=$library" "env LD_LIBRARY_PATH=$libdir LD_PRELOAD=libbuddyslab.so.0" \
        "$root/usr/bin/buddyslab run"; do
        mapped=$($way grep -c "$libdir/libbuddyslab.so" /proc/self/maps) || true
        [ "${mapped:-0}" -gt 0 ] || fail "not by: $way"
    done
    BUDDYSLAB=report=exit "$root/usr/bin/buddyslab" run perl -e 'my @a = map { "x" x $_ } 1 .. 2000;' 2>"$work/report"
    grep -q '^buddyslab: calls: malloc [1-9]' "$work/report" || fail "$(cat "$work/report")"
}

# the stripped library explains itself to the command, and to the debugger's script
promise_look()
{
    "$root/usr/bin/buddyslab" run sleep 100 &
    sleeper=$!
    tries=200
    until "$root/usr/bin/buddyslab" slabinfo $sleeper >"$work/slabs" 2>"$work/log"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || { kill $sleeper; fail "$(cat "$work/log")"; }
        sleep 0.05
    done
    kill $sleeper
    grep -q '^kmalloc-64 ' "$work/slabs" || fail "$(cat "$work/slabs")"
    [ -e "$root/usr/share/buddyslab/buddyslab.py" ] || fail "the debugger's script is missing"
}

# each function has its page, under each name; and there are the examples
promise_man()
{
    export MANPATH=$root/usr/share/man MANWIDTH=80 MAN_KEEP_FORMATTING=
    # page SECTION NAME TEXT
    page()
    {
        man -P cat "$1" "$2" >"$work/page" 2>"$work/log" || fail "$(cat "$work/log")"
        grep -qe "$3" "$work/page" || fail "man $1 $2 does not say: $3"
    }
    page 1 buddyslab 'slabinfo'
    page 7 buddyslab 'dirty_large_max (size'
    page 3 bsl_kmem_cache_create '^ *bsl_kmem_cache \*bsl_kmem_cache_create(const char \*name, size_t size,'
    page 3 bsl_kstrndup 'char \*bsl_kstrndup(const char \*text, size_t max, bsl_gfp_t gfp);'
    [ -e "$root/usr/share/doc/libbuddyslab-dev/examples/kmalloc.c" ] || fail "the examples are missing"
    for name in $(sed -n 's/^ *\(bsl_[a-z0-9_]*\);$/\1/p' "$here/../../src/libbuddyslab.map"); do
        ls "$MANPATH/man3/$name.3.gz" >/dev/null || fail "there is no page for $name"
    done
}

[ $# -gt 0 ] || set -- lintian depends compile run look man
for promise; do
    "promise_$promise"
    echo "the packages keep their promise: $promise"
done
