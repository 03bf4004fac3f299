#!/usr/bin/env bash
# test_stacks_running.sh proves that a thread which runs is asked by signal and
# tells its own stack, at whatever instruction it is; that one which blocks the
# signal is listed as such; and that SNAG_SIGNAL=never asks nobody.
set -u
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || { echo "skipped: a sanitizer build"; exit 77; }
here=$SNAG_SOURCE/tests/truth
work=$SNAG_BUILD/tests/truth
mkdir -p "$work"
builds=(
    "gcc|-O0"
    "gcc|-O2"
    "gcc|-O2 -fno-omit-frame-pointer -fcf-protection=full"
    "gcc|-O3"
    "clang|-O0"
    "clang|-O2"
    "clang|-O3"
)
failed=0
for i in "${!builds[@]}"; do
    IFS='|' read -r compiler flags <<<"${builds[$i]}"
    command -v "$compiler" >/dev/null || { echo "$compiler is not installed"; continue; }
    program=$work/spinners-$i
    bash "$here/build.sh" "$program" spinners "$compiler" "$flags" || { failed=1; continue; }
    modes=(asked)
    [ "$i" -gt 1 ] || modes+=(never always) # the same code in every build
    for mode in "${modes[@]}"; do
        out=$work/run-spinners-$i-$mode.txt
        timeout 170 "$program" "$mode" >"$out" 2>&1
        status=$?
        printf '%-60s %s\n' "$compiler $flags, $mode" "$(awk '/^RESULT/ { for (f = 2; f <= NF; f++) {
            if ($f == "equal") e += $(f+1); if ($f == "partial") p += $(f+1); if ($f == "different") d += $(f+1)
            if ($f == "by-signal") s += $(f+1) } } END { print "equal", e, "(by signal " s ")", "partial", p, "different", d }' "$out")"
        [ "$status" = 0 ] && continue
        failed=1
        echo "  exit status $status; what it says ($out):"
        head -n "${SNAG_TEST_LINES:-60}" "$out" | sed 's/^/    /'
    done
done
exit "$failed"
