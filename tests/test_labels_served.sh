#!/usr/bin/env bash
# test_labels_served.sh proves that labels, and who started a thread, come out of a service in every
# form: tags that go tool pprof selects by, counts, blocks, groups, JSON; that a label never hides a
# tag of snag's own; and that without tracking nothing is inherited and no starter is made up.
set -u
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || { echo "skipped: a sanitizer build"; exit 77; }
. "$SNAG_SOURCE/tests/support/service.sh"
export PPROF_TMPDIR=$work/pprof HOME=$work
programs=$SNAG_BUILD/tests/programs
track=$SNAG_BUILD/src/libsnag-track.so

# says FILE PATTERN / says_not ...: a line of it matches.
says() { grep -qE -- "$2" "$work/$1" || { fail "$1 does not say '$2'"; head -n 60 "$work/$1"; }; }
says_not() { grep -qE -- "$2" "$work/$1" && fail "$1 says $(grep -E -- "$2" "$work/$1" | head -n 2)"; }
told() { sed -n "s/^$1=//p" "$work/$name.log"; }

# block TID: its block of $work/blocks, into $work/block.
block() { awk -v RS= -v tid="$1" '$1 == "thread" && $2 == tid' "$work/blocks" >"$work/block"; }

name=tracked
service tracked env LD_PRELOAD="$track" "$programs/labelled"
url=http://$address

get "$url/debug/threads" -o "$work/groups" || fail "GET /debug/threads"
says groups '^17 threads in futex'
says groups '^    label tenant: acme \(12\), globex \(3\), others \(2\)$'
says groups '^    label request: r[0-9]+ \(1\), r[0-9]+ \(1\), r[0-9]+ \(1\), others \(14\)$'
says groups '^    and 17 more labels$'
says groups '^    label plan: gold$'
awk -v RS= '/label plan: gold/' "$work/groups" >"$work/group"
says group '^3 threads in futex'
says group '^    started by start at labelled\.c:[0-9]+$'
awk -v RS= '/named manager/' "$work/groups" >"$work/group"
says_not group '^    label '
grep -q "$(printf '\033')" "$work/groups" && fail "an escape sequence comes through"

get "$url/debug/pprof/threads?debug=2" -o "$work/blocks" || fail "GET debug=2"
block "$(told ours)"
says block '^     labels colour=\\x1b\[31mred\\x0a, state=mine, thread=me$'
block "$(told many)"
says block '^     labels key00=v, .*, key15=v and 3 more that had no room$'
block "$(told pool)"
says block '^     labels plan=gold$'
says block '^     started by start at labelled\.c:[0-9]+, by pthread_create\(\) in thread [0-9]+ [0-9.]+ m?s ago$'
says block '^     #1   0x[0-9a-f]+ start_pool\+0x[0-9a-f]+ at .*labelled\.c:[0-9]+$'
says block '^     #2   0x[0-9a-f]+ run_manager\+'
[ "$(grep -c '^     started by ' "$work/blocks")" = 23 ] || fail "not all but main have a starter"

get "$url/debug/pprof/threads?debug=1" -o "$work/counts" || fail "GET debug=1"
says counts '^# labels: \{.*"label\.state":"mine", "label\.thread":"me", "state":"sleeping", .*"thread":"worker"'
says counts '"labels":"3 had no room"'
says counts '^3 @ 0x'

get "$url/debug/threads?format=json" -o "$work/json" || fail "GET json"
python3 - "$work/json" "$(told ours)" "$(told many)" "$(told pool)" <<'PYTHON' || fail "the JSON is not right"
import json, sys
threads = {one["tid"]: one for one in json.load(open(sys.argv[1]))["threads"]}
ours, many, pool = (threads[int(tid)] for tid in sys.argv[2:5])
assert ours["labels"] == {"colour": "\x1b[31mred\n", "state": "mine", "thread": "me"}
assert len(many["labels"]) == 16 and many["labels_left_out"] == 3
assert all(one["labels_known"] for one in threads.values())
start = pool["started_by"]
assert pool["labels"] == {"plan": "gold"} and start["call"] == "pthread_create"
assert threads[start["tid"]]["thread"] == "manager" and threads[start["tid"]]["labels"] == {}
assert [one["function"] for one in start["frames"]][:3] == ["start", "start_pool", "run_manager"]
assert 0 < start["age_ns"] < 300e9 and start["partial"] is None
assert sum(one["started_by"] is None for one in threads.values()) == 1
tenants = [one["labels"].get("tenant") for one in threads.values()]
assert tenants.count("acme") == 12 and tenants.count("globex") == 3
PYTHON

if command -v go >/dev/null; then
    pprof()
    {
        timeout 60 go tool pprof "$@" >"$work/out" 2>"$work/err" </dev/null ||
            fail "pprof $*: $(head -n 3 "$work/err")"
    }
    get "$url/debug/pprof/threads" -o "$work/threads.pb.gz" || fail "GET threads"
    pprof -tags "$work/threads.pb.gz"
    says out '^ *tenant: Total 15'
    says out '^ *12\.0 \( *80\.0+%\): acme$'
    says out '^ *label\.state: Total 1'
    says out '^ *state: Total 24'
    says out '^ *24\.0 \( *100%\): sleeping$'
    pprof -top -tagfocus=tenant=acme "$work/threads.pb.gz"
    says out '^Showing nodes accounting for 12, '
    pprof -top -tagignore=tenant=acme "$work/threads.pb.gz"
    says out '^Showing nodes accounting for 12, .* of 24 total|^Showing nodes accounting for 12,'
    pprof -top -tagfocus=plan=gold -nodecount=0 "$work/threads.pb.gz"
    says out ' run_pool$'
    says_not out ' run_worker$'
    pprof -tags "$url/debug/pprof/threadleak"
    says out '^ *side: Total 2'
    pprof -raw "$work/threads.pb.gz"
    says_not out 'start_pool' # who started a thread is not on its stack
fi
end_services

# Without tracking each thread has what it set itself, and nobody is said to have started it.
name=plain
service plain "$programs/labelled"
get "http://$address/debug/pprof/threads?debug=2" -o "$work/blocks" || fail "GET debug=2"
says blocks '^     labels request=r3, tenant=acme$'
says_not blocks 'plan=gold|started by'
get "http://$address/debug/threads?format=json" -o "$work/json" || fail "GET json"
[ "$(grep -c '"started_by": null' "$work/json")" = 24 ] || fail "a starter without tracking"
end_services

timeout 60 "$programs/labelled_cpp" none >"$work/out" || fail "std::thread without tracking"
LD_PRELOAD=$track timeout 60 "$programs/labelled_cpp" inherited >"$work/out" || fail "std::thread"
[ "$(grep -c '^     started by main at labelled_cpp\.cc:[0-9]*, by pthread_create()' "$work/out")" = 2 ] ||
    fail "who started C++ threads: $(grep 'started by' "$work/out")"
exit "$failed"
