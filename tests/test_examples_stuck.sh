#!/usr/bin/env bash
# test_examples_stuck.sh proves that each example of docs/stuck.md is told by the sentence that the
# page shows, on the front page as well, and ends by itself.
set -u
. "$SNAG_SOURCE/tests/support/service.sh"
examples=$SNAG_BUILD/examples
[ -x "$examples/deadlock" ] || skip "the examples are not built"

# expect PATTERN EXAMPLE: within half a minute the first line of /debug/stuck matches PATTERN.
expect()
{
    local pattern=$1 example=$2 first="" i
    SNAG_LISTEN=unix:$work/$example "$examples/$example" 60 >"$work/out.txt" 2>&1 &
    services+=($!)
    for ((i = 0; i < 150; i++)); do
        sleep 0.2
        first=$(ask "$example" | head -n 1)
        [[ $first =~ $pattern ]] && break
    done
    if [[ $first =~ $pattern ]]; then
        echo "$example: $first"
    else
        cat "$work/out.txt"
        fail "$example says \"$first\", and not $pattern"
    fi
    first=$(front "$example" | sed -n 's/^stuck:   //p')
    [[ $first =~ ^${pattern#^1\\. } ]] || fail "the front page of $example: \"$first\""
    front "$example" -H 'Accept: text/html' | grep -q '^<li>[1-9t].* \(behind\|write() for .*\|on them\)' ||
        fail "the front page of $example for a browser"
    ask "$example" '?format=json' |
        python3 -c 'import json, sys; json.load(sys.stdin)["findings"][0]["sentence"]' ||
        fail "$example: no JSON"
    end_services
}

# ask EXAMPLE [QUERY]
ask()
{
    curl -s --max-time 20 --unix-socket "$work/$1" "http://localhost/debug/stuck${2-}"
}

# front EXAMPLE [OPTION...]
front() { curl -s --max-time 20 --unix-socket "$work/$1" "${@:2}" http://localhost/; }

expect '^1\. threads pay-(alice|bob) and pay-(alice|bob) wait for each other and can never go on; [0-9] more threads? waits? behind$' deadlock
expect '^1\. [0-9] threads have waited for up to .* s for a mutex \(log_lock\) held by worker-[1-8], which has been in write\(\) for .* s on a full pipe$' pipe_nobody_reads
expect '^1\. [0-9]+ sockets to 127\.0\.0\.1:[0-9]+ are in CLOSE_WAIT: the peer has closed and this process has not.*; .* unread.*; no thread waits on them$' close_wait

# They end by themselves.
for example in deadlock pipe_nobody_reads close_wait; do
    SNAG_LISTEN=off timeout 20 "$examples/$example" 1 >/dev/null || fail "$example 1: exit status $?"
done
exit "$failed"
