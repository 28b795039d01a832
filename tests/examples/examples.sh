#!/bin/sh
# docs/examples print what their heads say.
#
#   examples.sh run SOURCE COMMAND...      runs an example that is built already, and compares
#   examples.sh installed BUILD_TREE       builds all of them against the installed library, by CMake and by
#                                          pkg-config as their CMakeLists.txt says, and runs them
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C

# run SOURCE COMMAND...
run()
{
    source=$1
    shift
    # what stands after "Output:" in the first comment, without what precedes it in each line
    sed -n '/Output:$/,/^ \*\/$\|^$\|^#/p' "$source" | sed -n 's/^\(\/\/\| \*\)     //p' >"$work/expected"
    [ -s "$work/expected" ] || { echo "$source does not say what it prints"; exit 1; }
    "$@" >"$work/output" 2>"$work/error" || { echo "$source: status $?"; cat "$work/output" "$work/error"; exit 1; }
    diff "$work/expected" "$work/output" || { echo "$source: '>' is what it prints"; exit 1; }
}

case $1 in
run)
    shift
    run "$@"
    ;;
installed)
    {
        cmake --install "$2" --prefix "$work/usr"
        cmake -S "$here/../../docs/examples" -B "$work/tree" -DCMAKE_PREFIX_PATH="$work/usr"
        cmake --build "$work/tree"
    } >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    for source in "$here"/../../docs/examples/*.c "$here"/../../docs/examples/*.cpp; do
        name=${source##*/}
        run "$source" "$work/tree/${name%.*}"
    done
    pc_dir=$(dirname "$(find "$work/usr" -name buddyslab.pc)")
    export PKG_CONFIG_PATH="$pc_dir"
    cd "$here/../../docs/examples"
    # shellcheck disable=SC2046  # a list of words
    ${CC:-cc} kmalloc.c -o "$work/kmalloc" $(pkg-config --cflags --libs buddyslab)
    export LD_LIBRARY_PATH="$pc_dir/.."
    run kmalloc.c "$work/kmalloc"
    ;;
esac
echo "examples print what they say"
