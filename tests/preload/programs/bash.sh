#!/bin/bash
# bash: forks and pipes without end, arrays, strings, here-documents, traps, a coprocess.
. "$(dirname "$0")/../lib.sh"
need bash

cat >"$work/script" <<'END'
total=0
declare -A seen
for i in $(seq 250); do
    value=$(echo "$i" | sed 's/1/one/g' | tr a-z A-Z)
    seen[$value]=$(( (i * 7919) % 1009 ))
    (( total += ${#value} ))
done
echo "$total ${#seen[@]}"
for key in "${!seen[@]}"; do echo "$key ${seen[$key]}"; done | sort | tail -n 5
text=
for i in {1..20000}; do text+="$i,"; done
echo "${#text} ${text//1/} " | cksum
mapfile -t lines < <(seq 50000 | rev)
echo "${#lines[@]} ${lines[49999]} ${lines[@]: -3}"
deep() { (( $1 )) || { echo bottom; return; }; echo "$1 $(deep $(( $1 - 1 )))"; }
deep 40
for i in {1..40}; do ( : & wait; exit "$i" ); (( sum += $? )); done
echo "$sum"
coproc cat
echo through a coprocess >&"${COPROC[1]}"
read -r line <&"${COPROC[0]}"
echo "$line"
trap 'echo leaving' EXIT
END
compare bash "$work/script"
served bash 'sed' 'tr'
