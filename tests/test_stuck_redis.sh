#!/usr/bin/env bash
# test_stuck_redis.sh proves that an idle redis is well: its threads for input and output wait for
# mutexes that the main thread holds while it waits for clients in its epoll.
set -u
. "$SNAG_SOURCE/tests/support/service.sh"
command -v redis-server >/dev/null || skip "no redis-server"

service redis "$SNAG_BUILD/src/snag" run redis-server --port 0 --unixsocket "$work/socket" \
    --save '' --io-threads 4
sleep 6.5 # a lock is waited for too long after 5
# Ten times a second the main thread runs for a moment, and whoever runs with a lock is told.
for ((i = 0; i < 10; i++)); do
    get "http://$address/debug/stuck" -o "$work/stuck" || fail "GET /debug/stuck"
    grep -q '^nothing stuck' "$work/stuck" && break
    grep -q 'which is running$' "$work/stuck" || break
done
grep -q '^nothing stuck' "$work/stuck" || fail "an idle redis: $(head -n 3 "$work/stuck")"
# It was looked at as it should be: three threads wait for a mutex, and the holder is known.
get "http://$address/debug/threads?format=json" -o "$work/threads" || fail "GET /debug/threads"
held=$(grep -o '"on": "mutex held by redis-server"' "$work/threads" | wc -l)
[ "$held" -eq 3 ] || fail "$held threads wait for a mutex of the main thread, not 3"
exit $failed
