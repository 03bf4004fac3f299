#!/usr/bin/env bash
# test_handles_served.sh proves that inventories are served in every form, all together and each by
# its own name: groups for a person, JSON, counts and blocks as text, the profile with its labels
# and ages as go tool pprof and a reader from npm see it, the difference of two; and that they are
# found from the moment that they are made.
set -u
. "$SNAG_SOURCE/tests/support/service.sh"
export PPROF_TMPDIR=$work/pprof HOME=$work

service inventory_service "$SNAG_BUILD/tests/programs/inventory_service"
url=http://$address
told() { sed -n "s/^$1=//p" "$work/inventory_service.log"; }
early=$(told early) late=$(told late)
up() { cut -d' ' -f1 /proc/uptime; }

# says FILE PATTERN: a line of it matches.
says()
{
    grep -qE -- "$2" "$work/$1" || { fail "$1 does not say '$2'"; head -n 60 "$work/$1"; }
}

# mute FILE PATTERN: no line of it does.
mute()
{
    ! grep -qE -- "$2" "$work/$1" || { fail "$1 says '$2'"; head -n 60 "$work/$1"; }
}

get "$url/debug/handles" -o "$work/groups" || fail "GET /debug/handles"
[ "$(head -n 1 "$work/groups")" = "50 handles live in 3 inventories" ] || fail "$(head -n 1 "$work/groups")"
says groups '^http\.responses: 47 handles, 14\.0 MB, mean age [0-9.]+ m?s$'
says groups '^40 handles by leak_response at inventory_service\.c:[0-9]+, 40\.0 kB, oldest [0-9.]+ s'
says groups '^7 handles by open_response at inventory_service\.c:[0-9]+, 14\.0 MB, oldest '
says groups '^    labels? tenant=red$'
says groups '^db\.rows: 3 handles, mean age [0-9.]+ s$'
says groups '^3 handles by fetch_row at inventory_service\.c:[0-9]+, oldest [0-9.]+ s'
says groups '^idle: 0 handles$'
says groups '^4 removes of handles that were not live:$'
says groups '^    3 times, the first with 0x[0-9a-f]+ in thread [0-9]+ '
says groups '^    1 time, the first with 0xdead40 in thread [0-9]+ '
says groups '^    #0 +close_again at '
says groups '^    #0 +close_unknown at '
says groups '^    #[0-9]+ +main at '
says groups '^2 adds of handles that were live already$'
mute groups 'serve_and_close|lost|missing|not known'

get "$url/debug/db.rows" -o "$work/rows" || fail "GET /debug/db.rows"
[ "$(head -n 1 "$work/rows")" = "3 handles live in 1 inventory" ] || fail "$(head -n 1 "$work/rows")"
mute rows 'responses'

before=$(up)
get "$url/debug/handles?format=json" -o "$work/json" || fail "GET json"
after=$(up)
if command -v python3 >/dev/null; then
    python3 - "$work/json" "$early" "$late" "$before" "$after" <<'PYTHON' || fail "the JSON is not right"
import json, sys
dump = json.load(open(sys.argv[1]))
early, late, before, after = map(float, sys.argv[2:6])
assert dump["live"] == 50 and dump["shards"] > 0, dump
assert not dump["shards_locked"] + dump["shards_changing"] + dump["shards_unreadable"]
found = {one["name"]: one for one in dump["inventories"]}
assert set(found) == {"http.responses", "db.rows", "idle"}
holders = {}
for one in dump["inventories"]:
    assert one["live"] == sum(holder["count"] for holder in one["holders"])
    assert one["bytes"] == sum(holder["bytes"] for holder in one["holders"])
    for holder in one["holders"]:
        functions = [frame["function"] for frame in holder["frames"]]
        assert "main" in functions and holder["partial"] is None, holder
        assert holder["count"] == sum(age["count"] for age in holder["ages"])
        assert holder["age_sum_ms"] == sum(age["age_sum_ms"] for age in holder["ages"])
        for age in holder["ages"]:
            mean = age["age_sum_ms"] / 1000 / age["count"]
            assert age["at_least_s"] <= mean <= max(age["at_least_s"] * 10, 1), age
        holders[one["name"], functions[0]] = holder
assert len(holders) == 3, holders.keys()
for name, function, count, size, since, labels in (
        ("http.responses", "leak_response", 40, 1000, early, {}),
        ("http.responses", "open_response", 7, 2000000, late, {"tenant": "red"}),
        ("db.rows", "fetch_row", 3, 0, early, {})):
    holder = holders[name, function]
    assert holder["count"] == count and holder["bytes"] == count * size, holder
    # The first is added when the time is told, the last a moment later.
    least, most = before - since - 0.5, after - since + 0.02
    assert least < holder["age_sum_ms"] / count / 1000 < most, (holder["age_sum_ms"], least, most)
    assert least < holder["oldest_least_ns"] / 1e9 <= holder["oldest_most_ns"] / 1e9 < most
    assert holder["labels"] == labels, holder
    assert len(holder["oldest"]) == min(count, 5)
    for handle in holder["oldest"]:
        assert handle["bytes"] == size and least < handle["age_ns"] / 1e9 < most, handle
    assert len({handle["handle"] for handle in holder["oldest"]}) == min(count, 5)
responses = found["http.responses"]
assert responses["wrong_removes"] == 4 and responses["double_adds"] == 2 and responses["lost"] == 0
wrong = {one["frames"][0]["function"]: one for one in responses["wrong_remove_stacks"]}
assert wrong["close_again"]["times"] == 3 and wrong["close_unknown"]["times"] == 1
assert wrong["close_unknown"]["handle"] == "0xdead40"
PYTHON
fi

get "$url/debug/pprof/handles?debug=1" -o "$work/counts" || fail "GET debug=1"
says counts '^handles profile: total 50$'
says counts '^40 @ 0x'
says counts '^# labels: \{"inventory":"http\.responses"\}$'
says counts '^# labels: \{"inventory":"http\.responses", "tenant":"red"\}$'
says counts 'leak_response\+0x'
get "$url/debug/pprof/http.responses?debug=1" -o "$work/counts" || fail "GET http.responses?debug=1"
says counts '^http\.responses profile: total 47$'
get "$url/debug/pprof/handles?debug=2" -o "$work/blocks" || fail "GET debug=2"
says blocks '^http\.responses: 40 handles, 40\.0 kB, oldest '
says blocks '^     0x[0-9a-f]+ for [0-9.]+ s, 1\.0 kB$'
says blocks '^     and 35 more$'
[ "$(grep -cE '^     0x[0-9a-f]+ for ' "$work/blocks")" = 13 ] || fail "not 5 + 5 + 3 handles"
says blocks '^4 removes of handles that were not live:$'

get "$url/debug/vars" -o "$work/vars" || fail "GET vars"
says vars '^"handles": 50,?$'
says vars '^"inventories": \{"http\.responses": 47, "db\.rows": 3, "idle": 0\},?$'
get "$url/debug/pprof/" -o "$work/index" || fail "GET index"
says index '^ +50 +handles$'
says index '^ +47 +http\.responses$'
says index '^ +0 +idle$'
get "$url/debug/pprof/" -H 'Accept: text/html' -o "$work/index" || fail "GET index as HTML"
says index '>47<td>.*href="http\.responses\?debug=1">http\.responses<'
get "$url/debug/" -o "$work/front" || fail "GET front"
says front '^ +50 handles +/debug/handles'
says front '^ +3 +db\.rows +/debug/db\.rows'

status() { curl -s --noproxy '*' -o "$work/refused" -w '%{http_code}' "$1"; }
[ "$(status "$url/debug/pprof/none.such")" = 404 ] || fail "an unknown inventory is no 404"
says refused 'handles, http\.responses, db\.rows, idle, '
[ "$(status "$url/debug/none.such")" = 404 ] || fail "an unknown page is no 404"
says refused 'db\.rows'
[ "$(status "$url/debug/pprof/db.rows?seconds=1&debug=1")" = 400 ] || fail "seconds with debug=1 is not refused"
[ "$(status "$url/debug/pprof/db.rows?debug=3")" = 400 ] || fail "debug=3 is not refused"
curl -s --noproxy '*' -D "$work/head" -o /dev/null "$url/debug/pprof/db.rows"
says head 'filename="db\.rows\.pb\.gz"'

rows=3
pprof()
{
    timeout 60 go tool pprof "$@" >"$work/dump" 2>"$work/err" </dev/null ||
        fail "go tool pprof $*: $(tail -n 3 "$work/err")"
}
if command -v go >/dev/null; then
    get "$url/debug/pprof/handles" -o "$work/first.pb.gz" || fail "GET handles"
    pprof -raw "$work/first.pb.gz"
    says dump '^PeriodType: handles count$'
    says dump '^handles/count\[dflt\] age/nanoseconds size/bytes$'
    says dump 'inventory:\[http\.responses\] tenant:\[red\]'
    says dump '^ +age_s:\[10? seconds\]$'
    pprof -top "$work/first.pb.gz"
    says dump 'of 50 total'
    says dump '^ +40 .* leak_response'
    says dump '^ +7 .* open_response'
    pprof -sample_index=size -top "$work/first.pb.gz"
    says dump '^ +1[34]\.[0-9]+MB .* open_response'
    pprof -sample_index=age -top "$work/first.pb.gz"
    says dump '^ +[0-9.]+(s|mins) .* leak_response'
    pprof -traces "$work/first.pb.gz"
    says dump '^ +40 +leak_response'
    pprof -tags "$work/first.pb.gz"
    says dump 'inventory: Total 50'
    says dump '47(\.0)? \([0-9.]+%\): http\.responses'
    says dump 'tenant: Total 7'
    says dump 'age_s: Total 50'
    pprof -top "$url/debug/pprof/handles?debug=1"
    says dump '^ +40 .* leak_response'
    pprof -tagfocus=inventory=db.rows -top "$work/first.pb.gz"
    says dump '^ +3 .* fetch_row'

    # Five come in these two seconds, nothing else moves but time.
    get "$url/debug/pprof/handles?seconds=2" -o "$work/delta.pb.gz" &
    getter=$!
    sleep 0.7
    kill -USR1 "$process"
    rows=8
    wait "$getter" || fail "GET seconds=2"
    pprof -raw "$work/delta.pb.gz"
    says dump '^Duration: 2(\.[0-9]+)?'
    pprof -top "$work/delta.pb.gz"
    says dump '^ +5 .* fetch_row'
    get "$url/debug/pprof/db.rows" -o "$work/second.pb.gz" || fail "GET db.rows"
    get "$url/debug/pprof/handles" -o "$work/second.pb.gz" || fail "GET handles"
    pprof -top -base "$work/first.pb.gz" "$work/second.pb.gz"
    says dump '^Showing nodes accounting for 5, '
    says dump '^ +5 .* fetch_row'
fi

modules=$SNAG_BUILD/tests/readers/node_modules
if command -v node >/dev/null && [ -e "$modules/pprof-format/package.json" ]; then
    get "$url/debug/pprof/handles" -o "$work/node.pb.gz" || fail "GET handles"
    node "$SNAG_SOURCE/tests/readers/read_handles.mjs" "$modules" "$work/node.pb.gz" \
        http.responses/leak_response=40,40000 http.responses/open_response=7,14000000 \
        "db.rows/fetch_row=$rows,0" || fail "pprof-format does not read it as it should be"
fi
exit "$failed"
