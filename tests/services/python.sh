#!/usr/bin/env bash
# python.sh proves that Python threads which wait for a queue, a lock and sockets answer right while
# they are dumped, and that the interpreter's functions name what they wait in.
set -u
. "$SNAG_SOURCE/tests/services/support.sh"
free_port
command=(/usr/bin/python3 "$folder/queue_service.py" "$port")

serve_requests 400 8

expect python3 '(start_thread|Py_BytesMain)'
seen _PyEval_EvalFrameDefault
check_counts 5
check_listener _PyEval_EvalFrameDefault
check_connections _PyEval_EvalFrameDefault
check_pprof PyThread_acquire_lock_timed
check_stuck
check_outside
check_last_line 'answered [1-9][0-9]*'
exit "$failed"
