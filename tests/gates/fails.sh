#!/bin/sh
# Shows that a gate can fail: runs it on something made to offend it, and wants to see its complaint.
#
#   fails.sh GATE
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/src/base "$root"/src/slab "$root"/include/buddyslab "$root"/preload

# refused COMPLAINT COMMAND...
refused()
{
    complaint=$1
    shift
    if "$@" >"$root/out" 2>&1; then
        cat "$root/out"
        echo "not refused: $*"
        exit 1
    fi
    grep -qe "$complaint" "$root/out" || { cat "$root/out"; echo "no such complaint: $complaint"; exit 1; }
}

# a library from the C program on standard input
library()
{
    ${CC:-cc} -shared -fPIC -x c -o "$root/lib.so" - "$@"
}

case $1 in
layers)
    echo '#include "slab/slab.hpp"' >"$root/src/base/low.hpp"
    refused 'base must not include "slab/slab.hpp"' "$here/layers.py" "$root"
    echo '#include "api/x.hpp"' >"$root/preload/malloc.cpp"
    refused 'preload must not include "api/x.hpp"' "$here/layers.py" "$root"
    echo '#include "low.hpp"' >"$root/src/base/low.hpp"
    refused 'write "room/file.hpp"' "$here/layers.py" "$root"
    mkdir "$root/src/utils"
    echo >"$root/src/utils/utils.hpp"
    refused 'utils is no room' "$here/layers.py" "$root"
    ;;
sizes)
    yes '// line' | head -501 >"$root/src/base/long.hpp" || true
    refused 'long.hpp: 501 lines' "$here/sizes.py" "$root"
    { echo 'void f(int x)'; echo '{'; yes '    g();' | head -58; echo '}'; } >"$root/src/base/f.cpp"
    refused 'f.cpp:f: 61 lines' "$here/sizes.py" "$root"
    mkdir -p "$root/tests/gates"
    echo 'src/base/gone.cpp 600 a table' >"$root/tests/gates/sizes_allowed.txt"
    refused 'gone.cpp: is in sizes_allowed.txt without need' "$here/sizes.py" "$root"
    ;;
names)
    echo 'enum { PAGE_SIZE = 4096 };' >"$root/src/base/page.hpp"
    refused 'page.hpp:1:.*PAGE_SIZE' "$here/names.sh" "$root"
    ;;
headers)
    echo 'size_t bsl_f(void);' >"$root/include/buddyslab/no_include.h"
    refused 'no_include.h does not compile alone: .*c99' "$here/headers.sh" "$root"
    echo 'int bsl_g(int class);' >"$root/include/buddyslab/no_include.h"
    refused 'no_include.h does not compile alone: .*c++20' "$here/headers.sh" "$root"
    ;;
tuning)
    mkdir -p "$root/src/config" "$root/docs/man"
    grep parameters "$here/../../docs/man/buddyslab.7" | grep '^\.\\"' >"$root/docs/man/buddyslab.7"
    echo 'PARAM_NUMBER(knob, 1, 0, 9, "turns")' >"$root/src/config/params.def"
    "$here/../../scripts/generate-tuning" "$root"
    sed -i 's/1, 0, 9/2, 0, 9/' "$root/src/config/params.def"
    refused '+| .*knob.*`2`' "$here/../../scripts/generate-tuning" --check "$root"
    refused '+.BR knob .*default 2' "$here/../../scripts/generate-tuning" --check "$root"
    echo 'PARAM_ODD(knob)' >"$root/src/config/params.def"
    refused 'is not understood' "$here/../../scripts/generate-tuning" --check "$root"
    ;;
man)
    mkdir -p "$root/docs/man"
    echo '    bsl_version;' >"$root/src/libbuddyslab.map"
    cp "$here/../../include/buddyslab/version.h" "$here/../../include/buddyslab/export.h" "$root/include/buddyslab"
    page=$root/docs/man/bsl_version.3
    refused 'no manual page has bsl_version' "$here/man.py" "$root"
    # offends COMPLAINT SED-SCRIPT: the page with a change is refused
    offends()
    {
        sed -e '/buddyslab (7)/d' -e "$2" "$here/../../docs/man/bsl_version.3" >"$page"
        refused "$1" "$here/man.py" "$root"
    }
    offends 'the header has const char' 's/const char \*bsl_version(void)/char *bsl_version(void)/'
    offends 'EXAMPLES does not compile' 's/puts(bsl/put(bsl/'
    offends 'has no section RETURN VALUE' '/RETURN VALUE/d'
    offends 'sections are' 's/SH DESCRIPTION/SH NOTES/'
    offends 'groff says' 's/^\.BR BSL_VERSION_NUMBER/.XR BSL_VERSION_NUMBER/'
    offends 'no page bsl_none(3)' 's/^\.BR bsl_version ()/.BR bsl_none (3)/'
    offends 'bsl_more is in the NAME of' 's/^bsl_version/bsl_version, bsl_more/'
    ;;
kernel_api)
    mkdir -p "$root/docs" "$root/include/buddyslab/linux"
    echo '| `vmalloc(size)` | same |' >"$root/docs/kernel-api.md"
    echo '/* bsl_other() */ void* bsl_vmalloc(size_t size);' >"$root/include/buddyslab/vmalloc.h"
    "$here/kernel_api.py" "$root"
    echo 'void bsl_vfree(void* p);' >>"$root/include/buddyslab/vmalloc.h"
    refused 'bsl_vfree of vmalloc.h is in no table' "$here/kernel_api.py" "$root"
    echo '| `vfree` | same |' >>"$root/docs/kernel-api.md"
    echo '#define vzalloc(size) bsl_vzalloc(size)' >"$root/include/buddyslab/linux/vmalloc.h"
    refused 'vzalloc of linux/vmalloc.h is in no table' "$here/kernel_api.py" "$root"
    ;;
format)
    echo 'int  f( );' >"$root/src/base/f.hpp"
    refused 'code should be clang-formatted' "$here/../../scripts/format" --check "$root/src/base/f.hpp"
    ;;
symbols)
    echo 'bsl_version' >"$root/list"
    echo 'int bsl_version; int more;' | library
    refused '> more' "$here/symbols.sh" "$root/lib.so" "$root/list"
    echo 'int other;' | library
    refused '< bsl_version' "$here/symbols.sh" "$root/lib.so" "$root/list"
    # the trap: with a version, malloc takes over nothing
    echo 'malloc' >"$root/list"
    echo 'NODE { global: malloc; };' >"$root/map"
    echo 'char malloc;' | library -w -fno-builtin "-Wl,--version-script=$root/map"
    refused '> malloc@@NODE' "$here/symbols.sh" "$root/lib.so" "$root/list"
    ;;
needed)
    echo 'double cos(double); double f(double x) { return cos(x); }' | library -Wl,--no-as-needed -lm
    refused 'libm.so' "$here/needed.sh" "$root/lib.so"
    ;;
hit_path)
    printf 'int n; void* malloc(unsigned long x) { __atomic_fetch_add(&n, 1, 5); return (void*)x; }\n%s' \
        'void free(void* p) { (void)p; }' | library -O2 -w -fno-builtin
    refused 'malloc: the hit path must not do that' "$here/hit_path.sh" "$root/lib.so"
    printf 'int n[40]; void* malloc(unsigned long x) { for (int i = 0; i < 40; i++) n[i] ^= x * i; return 0; }\n%s' \
        'void free(void* p) { (void)p; }' | library -O2 -w -fno-builtin -funroll-all-loops -fno-tree-vectorize
    refused 'malloc: [0-9]* instructions on a hit' "$here/hit_path.sh" "$root/lib.so"
    ;;
seldom)
    echo 'void bsl_f(void) { } void* malloc(unsigned long x) { return (void*)x; }' |
        library -O2 -w -fno-builtin -fno-toplevel-reorder
    refused 'bsl_\* functions lie among those' "$here/seldom.sh" "$root/lib.so"
    ;;
*)
    echo "no such gate: $1"
    exit 2
    ;;
esac
echo "the gate $1 fails when it should"
