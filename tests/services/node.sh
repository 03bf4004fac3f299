#!/usr/bin/env bash
# node.sh proves that a Node service with worker threads answers right while it is dumped, and that
# its event loops and libuv's pool are seen; code made by V8 ends a stack, which says so.
set -u
. "$SNAG_SOURCE/tests/services/support.sh"
[ -x /usr/bin/node ] || skip "no /usr/bin/node"
free_port
command=(/usr/bin/node "$folder/worker_service.js" "$port")

serve_requests 1000 8

check_pprof uv_run
seen uv_cond_wait
seen 'node::worker::Worker::Run'
check_counts 8
check_listener uv__socket
check_connections uv__accept
check_stuck
check_outside
check_last_line 'answered [1-9][0-9]*'
exit "$failed"
