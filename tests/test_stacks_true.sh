#!/usr/bin/env bash
# test_stacks_true.sh proves that a dump's stacks are the threads' own: about 150
# ways of blocking, each thread's return addresses recorded by libgcc's
# unwinder in the thread itself, in every build below; what is dumped must be
# equal, address by address, nothing missing and nothing more. Prints a table.
#   test_stacks_true.sh [PATTERN]   only the builds whose row matches
set -u
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || { echo "skipped: a sanitizer build"; exit 77; }
here=$SNAG_SOURCE/tests/truth
work=$SNAG_BUILD/tests/truth
mkdir -p "$work"

# compiler | flags | link flags | run with
builds=(
    "gcc|-O0||--eu-stack"
    "gcc|-O1||"
    "gcc|-O2||--eu-stack"
    "gcc|-O2 -fno-omit-frame-pointer||--eu-stack"
    "gcc|-O3||"
    "gcc|-Os||"
    "gcc|-O0 -fno-pie|-no-pie|"
    "gcc|-O2 -fno-pie|-no-pie|"
    "gcc|-O2|-s|"
    "gcc|-O0|-s|"
    "gcc|-O2 -fcf-protection=full||"
    "gcc|-O2 -fstack-protector-all -fstack-clash-protection||"
    "gcc|-O0 -fstack-protector-all -fcf-protection=full||"
    "gcc|-O2 -fno-plt||"
    "gcc|-O2 -flto||"
    "gcc|-O1 -fno-omit-frame-pointer -mno-red-zone||"
    "gcc|-O2 -march=haswell -ftree-vectorize||"
    "clang|-O0||--eu-stack"
    "clang|-O1||"
    "clang|-O2||--eu-stack"
    "clang|-O2 -fno-omit-frame-pointer||"
    "clang|-O3||"
    "clang|-Os||"
    "clang|-Oz||"
    "clang|-O0 -fno-pie|-no-pie|"
    "clang|-O2|-s|"
    "clang|-O0|-s|"
    "clang|-O2 -fcf-protection=full -fstack-protector-all||"
    "clang|-O2 -fno-plt||"
)

available() { command -v "$1" >/dev/null; }
available gcc && available clang || echo "only one compiler is installed: half of the builds"

build_one() { # number row
    local compiler flags link options
    IFS='|' read -r compiler flags link options <<<"$2"
    bash "$here/build.sh" "$work/blockers-$1" blockers "$compiler" "$flags" "$link" >"$work/build-$1.txt" 2>&1
}
export -f build_one
export here work
for i in "${!builds[@]}"; do
    [[ ${builds[$i]} == *${1:-}* ]] && available "${builds[$i]%%|*}" && printf '%s\0%s\0' "$i" "${builds[$i]}"
done | xargs -0 -P 2 -n 2 bash -c 'build_one "$1" "$2"' build || { echo "a build failed:"; tail -n 5 "$work"/build-*.txt; exit 1; }

failed=0
total=0
all=0
printf '%-66s %s\n' "build" "stacks equal / of them, each time they are dumped"
for i in "${!builds[@]}"; do
    [[ ${builds[$i]} == *${1:-}* ]] && available "${builds[$i]%%|*}" || continue
    IFS='|' read -r compiler flags link options <<<"${builds[$i]}"
    out=$work/run-$i.txt
    # shellcheck disable=SC2086
    timeout 180 "$work/blockers-$i" $options >"$out" 2>&1
    status=$?
    row=$(awk '/^RESULT/ { of = 0; for (f = 3; f <= NF; f++) if ($f ~ /^[0-9]+$/ && $(f-1) ~ /equal|undecided|partial|different|missing/) of += $f
                 for (f = 3; f <= NF; f++) if ($f == "equal") { printf "%s %d/%d  ", $2, $(f+1), of } }' "$out")
    printf '%-66s %s\n' "$compiler $flags $link" "$row"
    total=$((total + $(awk '/^RESULT snag_write/ { print $4 }' "$out" | grep . || echo 0)))
    all=$((all + $(awk '/^RESULT snag_write/ { print $4 + $6 + $8 + $10 + $12 }' "$out" | grep . || echo 0)))
    if [ "$status" != 0 ]; then
        failed=1
        echo "  exit status $status; the first of what it says ($out):"
        grep -v ^RESULT "$out" | head -n "${SNAG_TEST_LINES:-30}" | sed 's/^/    /'
    fi
done
echo "$total of $all stacks equal"
[ "$all" -gt 0 ] || { echo "nothing was compared"; failed=1; }
exit "$failed"
