#!/usr/bin/env bash
# test_leaky_client.sh proves the story of examples/http_client: under load the
# threads and sockets of the leaky client climb and do not come back, those of
# the fixed one stay few; and the profile names the function that forgot to close, above
# the client's read loop.
set -u
. "$SNAG_SOURCE/tests/support/service.sh"
command -v go >/dev/null || skip "no go"
export PPROF_TMPDIR=$work/pprof HOME=$work
examples=$SNAG_BUILD/examples

service local_server "$examples/local_server" 0 300
port=${address##*:}

# 400 requests in four seconds: 100 of each kind; 100 responses leak a thread, 100 a socket.
service leaky "$examples/leaky_client" "$port" -n 400 -r 100 -t 120
leaky=$address
leaky_process=$process
service fixed "$examples/fixed_client" "$port" -n 400 -r 100 -t 120
fixed=$address
fixed_process=$process

last=0
climbed=0
for ((i = 0; i < 300; i++)); do
    now=$(threads_total "$leaky")
    [ "${now:-0}" -gt "$last" ] && climbed=$((climbed + 1)) && last=$now
    most=$(threads_total "$fixed")
    [ "${most:-0}" -le 80 ] || fail "the fixed client has $most threads"
    grep -q '400 requests sent' "$work/leaky.log" && grep -q '400 requests sent' "$work/fixed.log" && break
    sleep 0.1
done
grep -q '400 requests sent, 0 failed' "$work/leaky.log" || fail "the leaky client did not send its requests"
grep -q '400 requests sent, 0 failed' "$work/fixed.log" || fail "the fixed client did not send its requests"
[ "$climbed" -ge 3 ] || fail "the leaky client's threads did not climb"
for ((i = 0; i < 100; i++)); do # until the last slow answers have come
    leaky_threads=$(threads_total "$leaky")
    fixed_threads=$(threads_total "$fixed")
    [ "$leaky_threads" -eq $((fixed_threads + 100)) ] && [ "$fixed_threads" -le 2 ] && break
    sleep 0.1
done
# The fixed one has its main thread, and the one that ThreadSanitizer adds to a program.
[ "$fixed_threads" -le 2 ] || fail "the fixed client has $fixed_threads threads"
[ "$leaky_threads" -eq $((fixed_threads + 100)) ] || fail "the leaky client has $leaky_threads threads"

# sockets PROCESS STATE: how many TCP sockets it has in that state.
sockets()
{
    lsof -nP -a -p "$1" -i "TCP@127.0.0.1:$port" 2>/dev/null | grep -c "($2)"
}
if command -v lsof >/dev/null; then
    [ "$(sockets "$leaky_process" ESTABLISHED)" = 100 ] || fail "not 100 sockets are being read"
    [ "$(sockets "$leaky_process" CLOSE_WAIT)" = 100 ] || fail "not 100 sockets are in CLOSE_WAIT"
    [ "$(sockets "$fixed_process" '.*')" = 0 ] || fail "the fixed client has sockets left"
fi

go tool pprof -top "http://$leaky/debug/pprof/threads" >"$work/top" 2>"$work/err" ||
    fail "go tool pprof -top: $(tail -n 2 "$work/err")"
for function in http_response_reader refresh_prices http_skip_body http_read_body; do
    grep -qE "^ +0 .* 100 +[0-9.]+% +$function( |$)" "$work/top" || fail "-top does not say 100 in $function"
done

# One stack, read from the system call to the thread's start.
go tool pprof -traces "http://$leaky/debug/pprof/threads" >"$work/traces" 2>"$work/err" ||
    fail "go tool pprof -traces: $(tail -n 2 "$work/err")"
stack=$(sed -n '/^ *100 /,/^-----/p' "$work/traces" | sed 's/^ *100 *//;s/^ *//;/^-----/d' | tr '\n' ' ')
case $stack in
*recv*"http_read_body http_skip_body refresh_prices http_response_reader "*) ;;
*) fail "the stack of 100 threads is: $stack" ;;
esac

get "http://$leaky/debug/threads" >"$work/threads" || fail "GET /debug/threads"
sed -n '/^100 threads/,/^$/p' "$work/threads" >"$work/group"
grep -q 'recvfrom' "$work/group" || fail "/debug/threads does not say what 100 threads do"
grep -qE 'refresh_prices .*leaky_client\.c:[0-9]+' "$work/group" || fail "/debug/threads does not say where"

[ "$failed" = 0 ] && echo "leaky: $leaky_threads threads, fixed: $fixed_threads; stuck in: $stack"
exit "$failed"
