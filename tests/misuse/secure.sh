#!/bin/bash
# A program that runs with more rights than its caller does not read BUDDYSLAB: a caller must not
# steer it.  A copy of a linked program is made setuid root, and run by another user.
#
#   secure.sh PROGRAM       PROGRAM is linked to the library, and prints "served"
set -eu
program=$1
if [ "$(id -u)" -ne 0 ]; then
    echo "skipped: only root can make a setuid program of root"
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if findmnt -n -o OPTIONS -T "$folder" | grep -qw nosuid; then
    echo "skipped: $folder is mounted nosuid"
    exit 77
fi
chmod 755 "$folder"
cp "$program" "$folder/plain"
cp "$program" "$folder/setuid"
chmod 4755 "$folder/setuid"

export BUDDYSLAB='foo report=exit'
# The same program without the bit reads it: the test can fail.
output=$("$folder/plain" 2>&1)
grep -q "unknown parameter 'foo'" <<<"$output" ||
    { printf 'the program does not read BUDDYSLAB at all, it printed:\n%s\n' "$output"; exit 1; }
output=$(setpriv --reuid 65534 --regid 65534 --clear-groups "$folder/setuid" 2>&1)
[ "$output" = served ] || { printf 'the setuid program printed:\n%s\n' "$output"; exit 1; }
