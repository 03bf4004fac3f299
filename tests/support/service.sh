# service.sh: what the tests in shell share: a service under test is started on
# a free port, asked over HTTP, and ended by its id. Sourced; sets $work, a
# folder of the test's own that is gone at its end.

work=$(mktemp -d) || exit 1
services=()
failed=0
unset SNAG_TOKEN SNAG_SIGNAL SNAG_WATCH_SECONDS SNAG_AUTO_DUMP_DIR
export SNAG_LISTEN=127.0.0.1:0

end_services()
{
    [ ${#services[@]} -eq 0 ] || kill "${services[@]}" 2>/dev/null
    wait "${services[@]}" 2>/dev/null
    services=()
}
trap 'end_services; rm -rf "$work"' EXIT

# fail WHAT: says so, and the test goes on to its end, which is `exit $failed`.
fail()
{
    echo "FAILED: $*"
    failed=1
}

skip()
{
    echo "skipped: $*"
    exit 77
}

# service NAME COMMAND...: starts it in the background, its output in
# $work/NAME.log. Sets $address to what its first "... listens on ADDRESS" says,
# and $process to its id.
service()
{
    local name=$1
    shift
    timeout 300 "$@" >"$work/$name.log" 2>&1 </dev/null &
    local runner=$!
    services+=("$runner")
    address=
    for ((i = 0; i < 200 && ${#address} == 0; i++)); do
        sleep 0.05
        address=$(sed -n 's/^.* listens on \([^ ]*\)$/\1/p;T;q' "$work/$name.log")
        kill -0 "$runner" 2>/dev/null || break
    done
    if [ -z "$address" ]; then
        fail "$name did not start: $(head -n 3 "$work/$name.log")"
        exit 1
    fi
    process=$(cat "/proc/$runner/task/$runner/children" 2>/dev/null)
    process=${process%% *}
}

# get URL [OPTION...]: the body; fails on an HTTP error.
get()
{
    curl -sS --noproxy '*' --fail --max-time 60 "$@"
}

# threads_total ADDRESS: how many threads the service has.
threads_total()
{
    get "http://$1/debug/pprof/threads?debug=1" | sed -n '1s/^threads profile: total \([0-9]*\)$/\1/p'
}

# Sets $port: one that nobody listens on, below those that connections are made from.
free_port()
{
    local i
    for ((i = 0; i < 1000; i++)); do
        port=$((10000 + (RANDOM * 32768 + RANDOM) % 20000))
        grep -q ":$(printf %04X "$port") " /proc/net/tcp /proc/net/tcp6 2>/dev/null || return 0
    done
    fail "no free port"
    exit 1
}

# until_true COMMAND...: again and again, for two minutes at least; 1 when it was never true.
until_true()
{
    local tries
    for ((tries = 0; tries < 1200; tries++)); do
        "$@" && return
        sleep 0.1
    done
    return 1
}

# comes WHAT COMMAND...: the same; when it was never true the test has failed, by what it said last.
comes()
{
    local what=$1
    shift
    until_true "$@" >"$work/comes" 2>&1 || fail "$what: $(tail -n 3 "$work/comes")"
}

# whole_dump COMMAND...: runs it again until the dump it shows, in $work/dump, is
# whole. On a loaded machine a running thread may answer its signal too late,
# which is said in the dump and is no fault of who reads it.
whole_dump()
{
    local i
    for ((i = 0; i < 30; i++)); do
        "$@" || return
        { gzip -dc "$work/dump" 2>/dev/null || cat "$work/dump"; } | grep -qa ' 0 partial' && return
        sleep 0.1
    done
    fail "no dump was whole: $*"
}
