#!/usr/bin/env bash
# test_growth_alarm.sh proves that the monitor tells a leak: by the function
# that forgets, once and again when it has doubled, on its line, its pages, in
# its metrics and with a set of profiles; and that a service which only holds
# what it has is told nothing. A period of 30 seconds stands for a day.
set -u
. "$SNAG_SOURCE/tests/support/service.sh"
export SNAG_WATCH_SECONDS=1 SNAG_WATCH_PERIOD=30
mkdir "$work/dumps"

service quiet "$SNAG_BUILD/tests/programs/watched" leak 1000 threads 5 start sleep 100000
quiet=$address
SNAG_AUTO_DUMP_DIR=$work/dumps service leaky "$SNAG_BUILD/tests/programs/watched" start leak 100000
until_true grep -q 'a leak, as' "$work/leaky.log"
line=$(grep -m 1 'a leak, as' "$work/leaky.log")
[[ $line =~ ^snag:\ watched\.things\ held\ by\ forget_one\(\)\ in\ watched\.c:[0-9]+:\ [0-9]+,\ grown\ from\ [0-9]+\ to\ [0-9]+\ in\ .*\ an\ hour\):\ a\ leak,\ as\  ]] ||
    fail "it says '$line': $(tail -n 3 "$work/leaky.log")"
get "http://$address/metrics" >"$work/metrics"
grep -q '^snag_growth_per_hour{profile="watched.things",place="held by forget_one() in watched.c:[0-9]*",group="[0-9a-f]*",alarm="true"} [0-9.]*$' "$work/metrics" ||
    fail "not in /metrics: $(grep growth "$work/metrics")"
! command -v promtool >/dev/null || promtool check metrics <"$work/metrics" >"$work/said" 2>&1 || fail "promtool: $(cat "$work/said")"
get "http://$address/" | grep -q '^growing: watched.things held by forget_one()' || fail "not on the front page"
get "http://$address/debug/stuck" | grep -q '^1\. watched.things held by forget_one() in watched.c:[0-9]*: .*: a leak, as ' || fail "not in /debug/stuck: $(get "http://$address/debug/stuck" | head -3)"
get "http://$address/debug/stuck?format=json" | grep -q '"kind": "growing", "sentence": "watched.things held by forget_one()' || fail "not in /debug/stuck as JSON"
get -H 'Accept: text/html' "http://$address/" | grep -q 'What is growing' || fail "not on the front page for a browser"
get "http://$address/debug/vars" | grep -q '"profile": "watched.things", "place": "held by forget_one() in watched.c:[0-9]*".*"alarm": true' ||
    fail "not in /debug/vars"
[ "$(find "$work/dumps" -name 'watched.*.growth.handles.pb.gz' | wc -l)" = 1 ] || fail "no profile was written: $(ls "$work/dumps")"
gzip -dc "$work"/dumps/watched.*.growth.handles.pb.gz | grep -qa forget_one || fail "the profile does not name who holds them"

# Twenty a second for some 40 s, and then as long again: told at most twice.
sleep 20
told=$(grep -c 'watched.things.*a leak, as' "$work/leaky.log")
[ "$told" -ge 1 ] && [ "$told" -le 2 ] || fail "told $told times"
! grep -q 'a leak' "$work/quiet.log" || fail "what does not grow is told: $(grep 'a leak' "$work/quiet.log")"
get "http://$quiet/debug/stuck" | grep -q '^nothing stuck' || fail "what does not grow is stuck"
get "http://$quiet/metrics" | grep -q '^snag_growth_alarms 0$' || fail "an alarm without a leak"
exit $failed
