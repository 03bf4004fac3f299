#!/usr/bin/env bash
# test_stacks_honest.sh proves that a stack which cannot be had is said to be
# incomplete, and hurts nobody: code without unwind tables, overwritten stacks,
# stack pointers into nothing, code that is gone.
set -u
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || { echo "skipped: a sanitizer build"; exit 77; }
here=$SNAG_SOURCE/tests/truth
work=$SNAG_BUILD/tests/truth
mkdir -p "$work"
builds=("gcc|-O0" "gcc|-O2" "gcc|-O2 -fno-omit-frame-pointer" "clang|-O0" "clang|-O2")
failed=0
for i in "${!builds[@]}"; do
    IFS='|' read -r compiler flags <<<"${builds[$i]}"
    command -v "$compiler" >/dev/null || { echo "$compiler is not installed"; continue; }
    bash "$here/build.sh" "$work/honest-$i" honest "$compiler" "$flags" || { failed=1; continue; }
    out=$work/run-honest-$i.txt
    timeout 150 "$work/honest-$i" >"$out" 2>&1
    status=$?
    printf '%-50s %s\n' "$compiler $flags" "$(grep ^RESULT "$out")"
    [ "$status" = 77 ] && exit 77
    [ "$status" = 0 ] && continue
    failed=1
    echo "  exit status $status; what it says ($out):"
    head -n "${SNAG_TEST_LINES:-60}" "$out" | sed 's/^/    /'
done
exit "$failed"
