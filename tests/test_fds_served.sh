#!/usr/bin/env bash
# test_fds_served.sh proves that descriptors are served in every form: the groups
# for a person, JSON, counts and blocks as text, the profile with its labels, the
# difference of two; and that the listener's own are not among them.
set -u
. "$SNAG_SOURCE/tests/support/service.sh"
export PPROF_TMPDIR=$work/pprof HOME=$work

service descriptors "$SNAG_BUILD/tests/programs/descriptors"
url=http://$address
told() { sed -n "s/^$1=//p" "$work/descriptors.log"; }
port=$(told port) file=$(told file) pipe=$(told pipe) odd=$(told odd)
open=$(find "/proc/$process/fd" -mindepth 1 2>/dev/null | wc -l)

# says FILE PATTERN: a line of it matches.
says()
{
    grep -qE -- "$2" "$work/$1" || { fail "$1 does not say '$2'"; head -n 60 "$work/$1"; }
}

get "$url/debug/fds" -o "$work/groups" || fail "GET /debug/fds"
[ "$(head -n 1 "$work/groups" | cut -d' ' -f1)" = "$open" ] ||
    fail "not $open descriptors: $(head -n 1 "$work/groups")"
[ "$(sed -n '1s/.* of \([0-9]*\) .*/\1/p' "$work/groups")" = "$(ulimit -n)" ] || fail "another limit"
[ "$(grep -m 1 -E '^[0-9,]+ ' <(tail -n +2 "$work/groups"))" = \
    "40 tcp CLOSE_WAIT to 127.0.0.1:$port, 400 bytes unread" ] || fail "the leak is not first"
says groups "^1 tcp LISTEN on 127\.0\.0\.1:$port\$"
says groups '^1 file deleted from /tmp$'
says groups '^1 unix unconnected on @\\x1b\[31m[0-9]+$'
grep -q "$(printf '\033')" "$work/groups" && fail "an escape sequence comes through"

get "$url/debug/fds?format=json" -o "$work/json" || fail "GET json"
if command -v python3 >/dev/null; then
    python3 - "$work/json" "$open" "$file" "$pipe" "$odd" <<'PYTHON' || fail "the JSON is not right"
import json, sys
dump = json.load(open(sys.argv[1]))
count, file, pipe, odd = map(int, sys.argv[2:6])
fds = {one["fd"]: one for one in dump["fds"]}
assert dump["count"] == len(fds) == len(dump["fds"]) == count, (dump["count"], len(fds), count)
leaked = [one for one in fds.values() if one["state"] == "CLOSE_WAIT"]
assert len(leaked) == 40 and all(one["unread"] == 10 for one in leaked)
assert all(one["kind"] == "tcp" and one["kind_is_sure"] and not one["accepted"] for one in leaked)
assert fds[file]["kind"] == "file" and fds[file]["deleted"] and fds[file]["position"] == 0
assert fds[pipe]["unread"] == 5 and fds[pipe]["other_end"] == pipe + 1
assert fds[odd]["local"].startswith("@\x1b[31m")
assert not dump["own_among_them"] and dump["listed_all"]
assert not any(one["target"] == "/proc/%d" % one["fd"] for one in fds.values())
PYTHON
fi

get "$url/debug/pprof/fds?debug=1" -o "$work/counts" || fail "GET debug=1"
says counts "^fds profile: total $open\$"
says counts '^40 @ 0x'
says counts "^# labels: \{\"kind\":\"tcp\", \"state\":\"CLOSE_WAIT\", \"target\":\"to 127\.0\.0\.1:$port\"\}\$"
get "$url/debug/pprof/fds?debug=2" -o "$work/blocks" || fail "GET debug=2"
[ "$(grep -c '^fd [0-9]*: ' "$work/blocks")" = "$open" ] || fail "not a block for each"
says blocks "^fd $file: file, /tmp/snag-descriptors-[A-Za-z0-9]* \(deleted\)\$"
says blocks "^fd $pipe: pipe, pipe:\[[0-9]+\], read end, other end is fd $((pipe + 1))\$"
[ "$(grep -c 'flags O_' "$work/blocks")" = "$open" ] || fail "not every descriptor has its flags"
get "$url/debug/vars" -o "$work/vars" || fail "GET vars"
says vars "^\"fds\": $open,?\$"
get "$url/debug/pprof/" -o "$work/index" || fail "GET index"
says index 'fds'
[ "$(curl -s --noproxy '*' -o /dev/null -w '%{http_code}' "$url/debug/pprof/fds?debug=2&seconds=1")" = 400 ] ||
    fail "seconds with debug=2 is not refused"

if command -v go >/dev/null; then
    pprof()
    {
        timeout 60 go tool pprof "$@" >"$work/dump" 2>"$work/err" </dev/null ||
            fail "go tool pprof $*: $(tail -n 3 "$work/err")"
    }
    get "$url/debug/pprof/fds" -o "$work/fds.pb.gz" || fail "GET fds"
    pprof -raw "$work/fds.pb.gz"
    says dump '^PeriodType: fds count$'
    says dump '^fds/count\[dflt\] age/nanoseconds unread/bytes$'
    says dump 'kind:\[tcp\] state:\[CLOSE_WAIT\] target:\[127\.0\.0\.1:[0-9]+ -> 127\.0\.0\.1:'"$port"'\]'
    says dump "^ +fd:\[$file\]\$"
    pprof -top "$work/fds.pb.gz"
    says dump "of $open total"
    says dump '^ +40 .* CLOSE_WAIT$'
    pprof -sample_index=unread -top "$work/fds.pb.gz"
    says dump '^ +400B .* CLOSE_WAIT$'
    pprof -traces "$work/fds.pb.gz"
    says dump '^ +1 +CLOSE_WAIT$'
    pprof -tags "$work/fds.pb.gz"
    says dump '^ *40\.0 \([0-9.]+%\): CLOSE_WAIT|^ *40 \([0-9.]+%\): CLOSE_WAIT'
    pprof -top "$url/debug/pprof/fds?debug=1"
    says dump "of $open total|CLOSE_WAIT|Total"

    # Seven come in these two seconds, nothing else moves.
    get "$url/debug/pprof/fds?seconds=2" -o "$work/delta.pb.gz" &
    getter=$!
    sleep 0.7
    kill -USR1 "$process"
    wait "$getter" || fail "GET seconds=2"
    pprof -raw "$work/delta.pb.gz"
    says dump '^Duration: 2(\.[0-9]+)?'
    [ "$(grep -cE 'kind:\[timerfd\]' "$work/dump")" = 7 ] || fail "the difference has not seven timers"
    [ "$(grep -cE 'kind:\[' "$work/dump")" = 7 ] || fail "the difference has more than the timers"
fi

# With tracking each is shown with whoever opened it, and for how long it has been open.
track=$SNAG_BUILD/src/libsnag-track.so
if [ -e "$track" ] && [ "${SNAG_ENGINE_IS_LINKED:-0}" != 1 ]; then
    service tracked env LD_PRELOAD="$track" "$SNAG_BUILD/tests/programs/descriptors"
    port=$(sed -n 's/^port=//p' "$work/tracked.log")
    get "http://$address/debug/fds" -o "$work/tracked" || fail "GET /debug/fds, tracked"
    says tracked "^40 tcp CLOSE_WAIT to 127\\.0\\.0\\.1:$port, 400 bytes unread, opened by leak_connection at descriptors\\.c:[0-9]+, oldest "
    says tracked '^    #[0-9]+ +main at '
    says tracked '^1 file deleted from /tmp, opened by [a-z_]+ '
    get "http://$address/debug/pprof/fds?debug=2" -o "$work/blocks" || fail "GET debug=2, tracked"
    [ "$(grep -cE '^     opened by socket\(\) in thread [0-9]+ .* ago$' "$work/blocks")" -ge 41 ] ||
        fail "not every socket has its opener"
    if command -v go >/dev/null; then
        get "http://$address/debug/pprof/fds" -o "$work/tracked.pb.gz" || fail "GET fds, tracked"
        pprof -top "$work/tracked.pb.gz"
        says dump '^ +40 .* leak_connection'
        pprof -sample_index=age -top "$work/tracked.pb.gz"
        says dump '^ +[0-9.]+(ms|s|mins) .* leak_connection'
    fi
fi
exit "$failed"
