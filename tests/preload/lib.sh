# shellcheck shell=bash
# Runs real programs twice, plainly and on the library, and compares what comes out.  Sourced by
# programs/*.sh, which get from ctest
#
#   BUDDYSLAB_LIB       the library
#   BUDDYSLAB_WITNESS   witness.c, which notes who serves the malloc of each program that starts
#
# A program that is missing fails the test, unless BUDDYSLAB_ALLOW_SKIP is set: then it is skipped.
set -u

work=$(mktemp -d)
cd "$work" || exit 2
export WITNESS=$work/witness LC_ALL=C TZ=UTC HOME=$work
: >"$WITNESS"

# Also when the test fails: servers that it started, by their process ids, and its files.
servers=
leave()
{
    local status=$?
    for server in $servers; do
        kill "$server" 2>/dev/null
    done
    wait
    cd / && rm -rf "$work"
    exit $status
}
trap leave EXIT

fail()
{
    echo "failed: $*"
    exit 1
}

# need PROGRAM...
need()
{
    local program
    for program; do
        command -v "$program" >/dev/null && continue
        [ -n "${BUDDYSLAB_ALLOW_SKIP-}" ] || fail "$program is not installed"
        echo "skipped: $program is not installed"
        exit 77
    done
}

# The witness comes first: it asks what the next one is that has a malloc.
preload=$BUDDYSLAB_WITNESS:$BUDDYSLAB_LIB

# compare COMMAND...: the same output and status both ways.  The command, which may be a function of
# the script, runs in a new folder each time; output that cannot be the same is its to leave out.
compare()
{
    local way plain_status status
    for way in plain preloaded; do
        rm -rf "$work/here"
        mkdir "$work/here"
        case $way in
        plain) (cd "$work/here" && "$@") >"$work/$way.out" 2>"$work/$way.err" ;;
        preloaded)
            (
                cd "$work/here" || exit 2
                export LD_PRELOAD=$preload
                "$@"
            ) >"$work/$way.out" 2>"$work/$way.err"
            ;;
        esac
        status=$?
        : "${plain_status:=$status}"
    done
    [ "$plain_status" = 0 ] ||
        { cat "$work/plain.err"; fail "$*: plainly it ends with $plain_status"; }
    [ "$status" = 0 ] ||
        { tail -n 20 "$work/preloaded.err"; fail "$*: on the library it ends with $status"; }
    [ -s "$work/plain.out" ] || fail "$*: no output to compare"
    cmp "$work/plain.out" "$work/preloaded.out" ||
        { diff "$work/plain.out" "$work/preloaded.out" | head -n 20; fail "$*: another output"; }
    ! grep -a '^buddyslab: ' "$work/preloaded.err" || fail "$*: the library complains"
    echo "same: $*"
}

# served PROGRAM...: each ran, under this name of its file, and its malloc was the library's.
served()
{
    local program library
    library=$(basename "$(readlink -f "$BUDDYSLAB_LIB")")
    for program; do
        awk -v program="^($program)\$" -v library="/${library%%.so*}\\\\.so" '
            $1 ~ program && $2 ~ library && $3 == 112 { found = 1 }
            END { exit !found }' "$WITNESS" ||
            { sort "$WITNESS" | uniq -c; fail "$program was not served by $library"; }
    done
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for()
{
    local tries=$(($1 * 20))
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || fail "waited in vain for: $*"
        sleep 0.05
    done
}

# serve WAY COMMAND...: starts a server, plainly or preloaded; its id is then in $server.
serve()
{
    local environment=()
    [ "$1" = plain ] || environment=("LD_PRELOAD=$preload")
    shift
    env "${environment[@]}" "$@" &
    server=$!
    servers+=" $server"
}

# finish SIGNAL: ends the server, which must end well.
finish()
{
    kill -"$1" "$server"
    wait "$server" || fail "the server ended with $?"
    servers=${servers% *}
}

# words N: N lines of generated text, the same every time.
words()
{
    awk -v n="$1" 'BEGIN {
        x = 42
        for (i = 0; i < n; i++) {
            line = i
            for (j = i % 7; j >= 0; j--) {
                x = (x * 69069 + 12345) % 4294967296
                line = line " " sprintf("%c%c%x", 97 + x % 26, 97 + int(x / 64) % 26, x % 100003)
            }
            print line
        }
    }'
}
