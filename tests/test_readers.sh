#!/usr/bin/env bash
# test_readers.sh proves that profiles taken over HTTP, and from outside, are read by programs that
# know nothing of snag, pprof-format and speedscope from npm: every thread and
# every function with its count, ids and addresses sound. 77 without npm or
# where it cannot get the packages.
set -u
. "$SNAG_SOURCE/tests/support/service.sh"
command -v npm >/dev/null || skip "no npm"

modules=$SNAG_BUILD/tests/readers
mkdir -p "$modules"
if ! cmp -s "$SNAG_SOURCE/tests/readers/package.json" "$modules/package.json" ||
    [ ! -e "$modules/node_modules/pprof-format/package.json" ]; then
    cp "$SNAG_SOURCE/tests/readers/package.json" "$modules/"
    (cd "$modules" && timeout 300 npm install --prefer-offline --fetch-retries=1 --ignore-scripts --no-audit --no-fund \
        --no-package-lock --no-update-notifier --loglevel=error) >"$work/npm.log" 2>&1 || {
        rm -f "$modules/package.json"
        skip "npm cannot install the readers: $(grep -m 1 -o 'code E[A-Z]*' "$work/npm.log")"
    }
fi

service assorted "$SNAG_BUILD/tests/programs/assorted"
mapfile -t expected < <(grep '=' "$work/assorted.log" | grep -v '^threads=')
threads=$(sed -n 's/^threads=//p' "$work/assorted.log")
[ "${#expected[@]}" -ge 8 ] || fail "the program said too little: $(cat "$work/assorted.log")"

# reads QUERY WITH_TID
reads()
{
    whole_dump get "http://$address/debug/pprof/threads$1" -o "$work/dump" || { fail "GET threads$1"; return; }
    node "$SNAG_SOURCE/tests/readers/read_profile.mjs" "$modules/node_modules" "$work/dump" \
        "$threads" "$2" "${expected[@]}" || fail "threads$1 is not read as it should be"
}
reads "" 0
reads "?debug=0&tid=1" 1
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || exit "$failed" # the command is for the others
# The thread that spins has no stack from outside where perf_event_open is refused.
"$SNAG_BUILD/src/snag" dump "$process" -o "$work/dump" >"$work/out" 2>&1 || fail "snag dump: $(cat "$work/out")"
node "$SNAG_SOURCE/tests/readers/read_profile.mjs" "$modules/node_modules" "$work/dump" \
    "$threads" 0 $(printf "%s\n" "${expected[@]}" | grep -v spin) || fail "what snag dump wrote is not read as it should be"
exit "$failed"
