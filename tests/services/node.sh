#!/usr/bin/env bash
# node.sh proves that a Node service with worker threads answers right while it is dumped, and that
# its event loops and libuv's pool are seen; code made by V8 ends a stack, which says so.
set -u
. "$SNAG_SOURCE/tests/services/support.sh"
[ -x /usr/bin/node ] || skip "no /usr/bin/node"
free_port
command=(/usr/bin/node "$folder/worker_service.js" "$port")

run_alone
run_with_snag

load() { /usr/bin/python3 "$folder/load.py" "$port" 1000 8 >"$work/load" 2>&1; }
under_dumps load

check_pprof uv_run
seen uv_cond_wait
seen 'node::worker::Worker::Run'
check_counts 8
check_listener uv__socket
check_connections uv__accept
check_stuck
check_outside
check_ending
[ "$alone_status" -eq 3 ] || fail "its own status is $alone_status"
grep -qx 'answered [1-9][0-9]*' "$work/with.log" || fail "it says at its end: $(tail -n 1 "$work/with.log")"
exit "$failed"
