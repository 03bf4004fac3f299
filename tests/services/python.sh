#!/usr/bin/env bash
# python.sh proves that Python threads which wait for a queue, a lock and sockets answer right while
# they are dumped, and that the interpreter's functions name what they wait in.
set -u
. "$SNAG_SOURCE/tests/services/support.sh"
free_port
command=(/usr/bin/python3 "$folder/queue_service.py" "$port")

run_alone
run_with_snag

load() { /usr/bin/python3 "$folder/load.py" "$port" 400 8 >"$work/load" 2>&1; }
under_dumps load

expect python3 '(start_thread|Py_BytesMain)'
seen _PyEval_EvalFrameDefault
check_counts 5
check_listener _PyEval_EvalFrameDefault
check_connections _PyEval_EvalFrameDefault
check_pprof PyThread_acquire_lock_timed
check_stuck
check_outside
check_ending
[ "$alone_status" -eq 3 ] || fail "its own status is $alone_status"
grep -qx 'answered [1-9][0-9]*' "$work/with.log" || fail "it says at its end: $(tail -n 1 "$work/with.log")"
exit "$failed"
