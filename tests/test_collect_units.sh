#!/usr/bin/env bash
# test_collect_units.sh proves that the units of `snag collect` that are installed are such that
# systemd takes them, start the command where it was installed, with options that it knows, and
# that the command needs no system call that they forbid.
set -u
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || { echo "skipped: a sanitizer build is not installed"; exit 77; }
. "$SNAG_SOURCE/tests/support/service.sh"
command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
prefix=$work/prefix
cmake --install "$SNAG_BUILD" --prefix "$prefix" >"$work/install.log" 2>&1 || { tail "$work/install.log"; fail "cmake --install"; exit 1; }
units=$prefix/lib/systemd/system

# What it finds amiss with units that are not ours is not ours.
systemd-analyze verify --man=no "$units"/snag-collect.service "$units"/snag-collect-once.service \
    "$units"/snag-collect.timer >"$work/verify" 2>&1
grep -F snag-collect "$work/verify" && fail "systemd does not take the units"

for unit in snag-collect snag-collect-once; do
    line=$(sed -n 's/^ExecStart=//p' "$units/$unit.service")
    [[ $line == "$prefix/bin/snag collect "* ]] || fail "$unit: ExecStart=$line"
    grep -q '@' "$units/$unit.service" && ! grep -q '@system-service' "$units/$unit.service" && fail "$unit: not filled in"
    systemd-analyze security --offline=yes "$units/$unit.service" >"$work/security" 2>/dev/null &&
        exposure=$(sed -n 's/^.*Overall exposure level.*: \([0-9]\)\..*$/\1/p' "$work/security") &&
        [ -n "$exposure" ] && { [ "$exposure" -le 2 ] || fail "$unit: $(tail -n 1 "$work/security")"; }
done

# The command as the unit starts it, and the sample of a targets file: its targets, on ports of this
# machine where nobody listens.
mkdir "$work/state"
sed 's/10\.0\.0\.\([0-9]*\):[0-9]*/127.0.0.\1:1/g; s/127\.0\.0\.1:[0-9]*/127.0.0.1:1/; s/gateway\.example:[0-9]*/127.0.0.1:1/' \
    "$prefix/share/snag/targets.json" >"$work/targets.json"
line=$(sed -n 's/^ExecStart=//p' "$units/snag-collect-once.service")
line=${line//'${STATE_DIRECTORY}'/$work/state}
line=${line//'$SNAG_COLLECT_OPTIONS'/--timeout 1s}
line=${line//\/etc\/snag\/targets.json/$work/targets.json}
status=0
$line >/dev/null 2>"$work/err" || status=$?
[ "$status" = 1 ] || fail "the sample: status $status: $(cat "$work/err")"
grep -q ' 0 of 5 targets well, 5 failing, ' "$work/err" || { fail "the sample is not read"; cat "$work/err"; }

# calls SET: every system call in it, also by the sets that it names.
calls()
{
    local word
    for word in $(systemd-analyze syscall-filter "$1" | sed -n '2,$s/^ *\([^# ][^ ]*\).*/\1/p'); do
        case $word in @*) calls "$word" ;; *) echo "$word" ;; esac
    done
}
if command -v strace >/dev/null; then
    service kept "$SNAG_BUILD/tests/programs/inventory_service"
    strace -f -qq -o "$work/calls" "$prefix/bin/snag" collect --once --dir "$work/state" "s=$address" bad=no-such-name.invalid:1 2>"$work/err"
    grep -q ' 1 of 2 targets well' "$work/err" || { fail "under strace: $(cat "$work/err")"; }
    comm -23 <(calls @system-service | sort -u) <(calls @privileged | sort -u) >"$work/allowed"
    sed -n 's/^[0-9]* *\([a-z0-9_]*\)(.*/\1/p' "$work/calls" | sort -u >"$work/made"
    [ "$(wc -l <"$work/made")" -gt 20 ] && [ "$(wc -l <"$work/allowed")" -gt 200 ] || fail "what is called or allowed is not known"
    forbidden=$(comm -23 "$work/made" "$work/allowed")
    [ -z "$forbidden" ] || fail "the units forbid $forbidden"
fi
exit $failed
