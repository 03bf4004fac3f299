#!/usr/bin/env bash
# redis.sh proves that redis-server, with threads for its input and output, serves
# every request right while it is dumped, and is seen as it is.
set -u
. "$SNAG_SOURCE/tests/services/support.sh"
need redis-server redis-benchmark redis-cli
free_port
command=(redis-server --port "$port" --bind 127.0.0.1 --save '' --io-threads 3 --io-threads-do-reads yes --dir "$work")
cli() { redis-cli -p "$port" "$@"; }

run_alone
run_with_snag

# Many clients wake its threads, which then spin: on few processors that is slow.
load()
{
    redis-benchmark -p "$port" -t set,get,lpush,lrange_100 -n 300 -c 12 -P 8 -q >"$work/load" 2>&1 &&
        [ "$(tr '\r' '\n' <"$work/load" | grep -c 'requests per second')" -ge 4 ] && ! grep -qi error "$work/load" &&
        [ "$(cli set mark "$times")" = OK ] && [ "$(cli get mark)" = "$times" ]
}
under_dumps load
cli info stats | tr -d '\r' >"$work/info"
grep -qx 'total_error_replies:0' "$work/info" || fail "redis counts errors: $(grep error "$work/info")"

expect redis-server main aeMain
expect 'io_thd_[12]' start_thread IOThreadMain
expect 'bio_.*' start_thread bioProcessBackgroundJobs 'pthread_cond_wait.*'
check_counts 6
check_listener listenToPort
check_connections anetTcpAccept
check_pprof aeMain
check_stuck
check_outside
check_ending
exit "$failed"
