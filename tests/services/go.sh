#!/usr/bin/env bash
# go.sh proves what becomes of Go programs and of static ones. One without C is linked statically and
# refused with the reason; one with C is served: its answers are right while it is dumped, although
# its runtime uses SIGURG for itself. Go's own code has no unwind table, so stacks end there and say
# so; what C it is in is seen.
set -u
. "$SNAG_SOURCE/tests/services/support.sh"
need cc
export GO111MODULE=off GOCACHE=$work/go-cache GOFLAGS= HOME=$work

# refused PROGRAM WHY: not run, status 1, one line that says why and what else can be done.
refused()
{
    timeout 60 "$snag" run --listen 127.0.0.1:0 "$1" >"$work/out" 2>"$work/err" </dev/null
    local status=$?
    [ "$status" -eq 1 ] || fail "snag run $1 ended with $status"
    [ ! -s "$work/out" ] || fail "$1 was run: $(head -n 1 "$work/out")"
    grep -q "^snag run: $1 is $2" "$work/err" && grep -q 'snag dump PID' "$work/err" ||
        fail "why $1 cannot be: $(head -n 2 "$work/err")"
}
printf '#include <stdio.h>\nint main(void) { puts("run"); return 0; }\n' >"$work/static.c"
if cc -static -o "$work/static" "$work/static.c" 2>/dev/null; then refused "$work/static" "linked statically"; else echo "no static C library: not tried"; fi
printf 'package main\n\nfunc main() { println("run") }\n' >"$work/pure.go"
CGO_ENABLED=0 go build -o "$work/pure" "$work/pure.go" || fail "go build"
refused "$work/pure" "a Go program without cgo, linked statically"

CGO_ENABLED=1 go build -o "$work/cgo_service" "$folder/cgo_service.go" >"$work/build" 2>&1 ||
    { fail "it does not compile: $(head -n 3 "$work/build")"; exit 1; }
free_port
command=("$work/cgo_service" "$port")

serve_requests 1000 8

check_pprof 'runtime.futex'
check_counts 4
# Go opens its descriptors past the C library: who did is not known, and not guessed.
check_listener unknown
check_connections unknown
check_stuck
check_outside
check_last_line 'answered [1-9][0-9]*'
exit "$failed"
