#!/usr/bin/env bash
# cpp.sh proves that a C++ service which throws for each answer answers right while it is dumped:
# every exception is caught where it belongs and every destructor runs, with snag's unwinder in the
# process; and that the functions of a program with debug information go by name.
set -u
. "$SNAG_SOURCE/tests/services/support.sh"
need c++
c++ -std=c++17 -g -O2 -pthread -o "$work/throwing_service" "$folder/throwing_service.cc" >"$work/build" 2>&1 ||
    { fail "it does not compile: $(grep -m 1 error "$work/build")"; exit 1; }
free_port
command=("$work/throwing_service" "$port")

serve_requests 1000 6

expect throwing_servic '(main|start_thread)'
check_pprof accept_connections
seen serve_connection
check_counts 2
check_listener main
check_connections accept_connections
check_stuck
check_outside
check_last_line 'thrown [1-9][0-9]*, ([0-9]+) guards made and \1 destroyed'
exit "$failed"
