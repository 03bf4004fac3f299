#!/usr/bin/env bash
# test_stack_here.sh proves that the stack which a thread walks itself (stack_here,
# what tracking and the inventories record) is the one that libgcc's unwinder
# finds at the same place: about 150 ways to get there, in every build below,
# address by address. Prints a table.
#   test_stack_here.sh [PATTERN]   only the builds whose row matches
set -u
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || { echo "skipped: a sanitizer build"; exit 77; }
here=$SNAG_SOURCE/tests/truth
work=$SNAG_BUILD/tests/truth
mkdir -p "$work"

# compiler | flags | link flags
builds=(
    "gcc|-O0|"
    "gcc|-O2|"
    "gcc|-O2 -fno-omit-frame-pointer|"
    "gcc|-O2 -fcf-protection=full -fstack-clash-protection|-s"
    "gcc|-O0 -fno-pie|-no-pie"
    "clang|-O0|"
    "clang|-O2|"
    "clang|-O2 -fno-omit-frame-pointer|"
    "clang|-Oz|-s"
)

failed=0
all=0
printf '%-56s %s\n' "build" "stacks equal / of them (without an outermost frame)"
for i in "${!builds[@]}"; do
    [[ ${builds[$i]} == *${1:-}* ]] && command -v "${builds[$i]%%|*}" >/dev/null || continue
    IFS='|' read -r compiler flags link <<<"${builds[$i]}"
    out=$work/run-here-$i.txt
    bash "$here/build.sh" "$work/here-$i" here "$compiler" "$flags -I$SNAG_SOURCE/src" \
        "$link -Wl,--wrap=truth_mark,--wrap=truth_skip" >"$work/build-here-$i.txt" 2>&1 ||
        { tail -n 5 "$work/build-here-$i.txt"; failed=1; continue; }
    timeout 180 "$work/here-$i" >"$out" 2>&1
    status=$?
    read -r equal different cut < <(awk '/^RESULT/ { print $3, $5, $7 }' "$out" | grep . || echo 0 0 0)
    printf '%-56s %d/%d (%d)\n' "$compiler $flags $link" "$equal" "$((equal + different))" "$cut"
    all=$((all + equal))
    if [ "$status" != 0 ]; then
        failed=1
        echo "  exit status $status; the first of what it says ($out):"
        grep -v ^RESULT "$out" | head -n "${SNAG_TEST_LINES:-30}" | sed 's/^/    /'
    fi
done
echo "$all stacks equal"
[ "$all" -gt 0 ] || { echo "nothing was compared"; failed=1; }
exit "$failed"
