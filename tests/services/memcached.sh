#!/usr/bin/env bash
# memcached.sh proves that memcached passes the checks of its protocol and its load while it is
# dumped. Started by root it drops its privileges, and with them hides its registers from itself:
# its threads are then asked by signal, which wakes them, and must do no harm.
set -u
. "$SNAG_SOURCE/tests/services/support.sh"
need memcached memcslap memccapable
free_port
command=(memcached -l 127.0.0.1 -p "$port" -t 3)
[ "$(id -u)" != 0 ] || command+=(-u nobody)

run_alone
run_with_snag

checked=
load()
{
    if [ -z "$checked" ]; then
        memccapable -h 127.0.0.1 -p "$port" >"$work/load" 2>&1 && grep -qx 'All tests passed' "$work/load" || return
        checked=yes
    fi
    timeout 120 memcslap --servers="127.0.0.1:$port" --concurrency=6 --execute-number=500 --test=get >"$work/load" 2>&1 &&
        grep -q 'Time to get *3000 keys' "$work/load" && ! grep -qiE 'error|fail' "$work/load"
}
under_dumps load
memcstat --servers="127.0.0.1:$port" >"$work/stat" 2>&1
awk '$1 == "cmd_get:" { asked = $2 } $1 == "get_misses:" { missed = $2 } END { exit !(asked >= 3000 && missed < 100) }' "$work/stat" ||
    fail "keys are missed: $(grep -E 'cmd_get|get_misses' "$work/stat")"

# A stripped program without dynamic symbols: its own functions go by module+0x, libevent's by name.
expect memcached '__libc_start.*' 'memcached\+0x[0-9a-f]+' event_base_loop
expect mc-worker start_thread 'memcached\+0x[0-9a-f]+' event_base_loop
expect 'mc-(assocmaint|slabmaint|itemcrawler|log)' start_thread 'memcached\+0x[0-9a-f]+' 'pthread_cond_wait.*'
check_counts 9
check_listener 'memcached\+0x[0-9a-f]+'
check_connections 'event_base_loop < libevent'
check_pprof event_base_loop
ask /debug/threads -o "$work/page" || fail "GET /debug/threads"
if [ "$(id -u)" = 0 ]; then
    grep -q '^[0-9]* threads were asked by signal, blocked ones too: registers not readable (process is not dumpable)$' \
        "$work/page" || fail "it is not said that blocked threads were asked: $(head -n 2 "$work/page")"
else
    echo "not root: that privileges are dropped was not tried"
    grep -q 'blocked ones too' "$work/page" && fail "blocked threads are asked by signal"
fi
check_stuck
check_outside
check_ending
exit "$failed"
