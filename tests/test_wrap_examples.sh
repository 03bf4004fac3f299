#!/usr/bin/env bash
# test_wrap_examples.sh proves what docs/handles.md shows of examples/inventories.c and .cc: what
# is lost climbs and is told by its holder, what is given back is not in the list, and the class's
# inventory tells by its label where the sessions that never end were made.
set -u
. "$SNAG_SOURCE/tests/support/service.sh"
examples=$SNAG_BUILD/examples
[ -x "$examples/inventories_cc" ] || skip "the examples are not built"

# begin EXAMPLE: in the background, listening on $work/socket.
begin()
{
    end_services
    SNAG_LISTEN=unix:$work/socket "$examples/$1" 120 >"$work/out" 2>&1 &
    services+=($!)
    until_true test -S "$work/socket"
}

# ask PATH
ask()
{
    get --unix-socket "$work/socket" "http://localhost$1"
}

# count PROFILE PATTERN: handles of the groups whose labels or stack match.
count()
{
    ask "/debug/pprof/$1?debug=1" | awk -v pattern="$2" '
        / @ 0x/ { n = $1; group = "" }
        { group = group $0 }
        /^$/ { if (group ~ pattern) sum += n; group = ""; n = 0 }
        END { if (group ~ pattern) sum += n; print sum + 0 }'
}

# climbs PROFILE PATTERN: there are at least 3, and later more.
climbs()
{
    local first=0 i now=0
    for ((i = 0; i < 100 && now <= first; i++)); do
        now=$(count "$1" "$2")
        [ "$now" -ge 3 ] && [ "$first" = 0 ] && first=$now
        [ "$first" = 0 ] && now=0
        sleep 0.1
    done
    [ "$now" -gt "$first" ] || fail "$1, $2: $first, then $now"
    echo "$1, $2: $first, then $now"
}

begin inventories
climbs pool.connections handle_order
climbs stdio.FILE write_receipt
[ "$(count pool.connections handle_health_check)" -le 1 ] || fail "what was given back is listed"
ask "/debug/handles" >"$work/text"
grep -qE '^[0-9]+ handles by pool_borrow at inventories.c:[0-9]+, ' "$work/text" || fail "/debug/handles: $(cat "$work/text")"
grep -q 'what went wrong\|not live' "$work/text" && fail "something went wrong: $(cat "$work/text")"

begin inventories_cc
climbs shop.Session 'route":"/checkout.*check_out'
sleep 1
browsing=$(count shop.Session 'route":"/browse.*browse')
[ "$browsing" -ge 15 ] && [ "$browsing" -le 25 ] || fail "$browsing sessions browse, 25 visitors are there"
ask "/debug/handles" | grep -q 'shop::Session::Session' || fail "no constructor"

# They end by themselves, and have leaked.
for example in inventories inventories_cc; do
    ASAN_OPTIONS=detect_leaks=0 SNAG_LISTEN=off timeout 20 "$examples/$example" 1 >/dev/null || fail "$example 1: exit status $?"
done
exit "$failed"
