#!/usr/bin/env bash
# test_exceptions.sh proves that dumps do not disturb C++ exceptions nor
# backtrace(3): four threads throw and catch during a thousand dumps by
# snag_write while others come over HTTP, nothing is lost, and the unwinder that
# the service uses is libgcc's.
set -u
. "$SNAG_SOURCE/tests/support/service.sh"

service throwing "$SNAG_BUILD/tests/programs/throwing" 1000
pid=${services[-1]}
dumps=0
while kill -0 "$pid" 2>/dev/null && [ "$dumps" -lt 200 ]; do
    get "http://$address/debug/pprof/threads" -o "$work/profile" 2>/dev/null &&
        dumps=$((dumps + 1))
done
wait "$pid"
status=$?
services=()
[ "$status" = 0 ] || fail "it ended with status $status"
[ "$dumps" -gt 0 ] || fail "no dump over HTTP succeeded meanwhile"
gzip -t "$work/profile" || fail "the last dump over HTTP is no gzip file"
cat "$work/throwing.log"
echo "$dumps dumps over HTTP meanwhile"
exit "$failed"
