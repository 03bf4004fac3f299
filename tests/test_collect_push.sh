#!/usr/bin/env bash
# test_collect_push.sh proves what `snag collect --push` sends: to a server that holds it against the
# rules of Pyroscope's /ingest, byte for byte what was stored, under the service's name; and that a
# server that is down, ill or not to be spoken with costs a line and no profile on the disk, and gets
# what waited when it is well again.
set -u
. "$SNAG_SOURCE/tests/support/service.sh"
command -v go >/dev/null || skip "no go"
command -v python3 >/dev/null || skip "no python3"
export PPROF_TMPDIR=$work/pprof HOME=$work
snag=$SNAG_BUILD/src/snag

service one "$SNAG_BUILD/tests/programs/labelled"
one=$address
service two "$SNAG_BUILD/tests/programs/labelled"
two=$address

# ingest NAME [OPTION...]: a server of that name; sets $server and $address, $in its folder.
ingest()
{
    local name=$1
    shift
    in=$work/$name
    mkdir -p "$in"
    : >"$in/log"
    python3 "$SNAG_SOURCE/tests/support/ingest_server.py" "$in" "$@" >"$in/log" 2>&1 &
    server=$!
    services+=("$server")
    until_true grep -q 'listens on' "$in/log" || fail "ingest_server: $(head -n 3 "$in/log")"
    address=$(sed -n 's/.* listens on //p' "$in/log")
}

lines() # FILE: how many, 0 where there is none
{
    cat "$1" 2>/dev/null | wc -l
}

has_lines() # FILE COUNT
{
    [ "$(lines "$1")" -ge "$2" ]
}

taken() # how many profiles the server has
{
    find "$in" -name '*.pb.gz' | wc -l
}

has_taken()
{
    [ "$(taken)" -ge "$1" ]
}

# collect STATUS ARGUMENT...: with --once, into $work/kept, which is new; its words in $work/err.
collect()
{
    local wanted=$1 status=0
    shift
    rm -rf "$work/kept"
    timeout 120 "$snag" collect --once -d "$work/kept" "$@" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" = "$wanted" ] && return
    fail "collect $*: status $status and not $wanted: $(cat "$work/err")"
    return 1
}

said() # COUNT PATTERN
{
    [ "$(grep -cE -e "$2" "$work/err")" = "$1" ] || fail "not $1 times '$2': $(cat "$work/err")"
}

# --- well: three profiles of each of two services, by one connection
ingest well Authorization="Bearer s3cret" X-Scope-OrgID=team-a
echo s3cret >"$work/token"
collect 0 --push "http://$address" --push-credentials "$work/token" --push-tenant team-a \
    "web=$one" "odd name, {}=$two"
said 0 push
[ "$(taken)" = 6 ] || fail "$(taken) profiles came and not 6"
[ -e "$in/refused" ] && fail "refused: $(cat "$in/refused")"
[ "$(lines "$in/connections")" = 1 ] || fail "$(lines "$in/connections") connections"
for stored in "$work"/kept/*/*/*.pb.gz; do
    found=
    for came in "$in"/*.pb.gz; do
        cmp -s "$stored" "$came" && found=$came
    done
    [ -n "$found" ] || { fail "$stored did not come"; continue; }
    profile=$(basename "$(dirname "$stored")")
    python3 - "${found%.pb.gz}.json" "$profile" <<'PYTHON' || fail "$profile: $(cat "${found%.pb.gz}.json")"
import json, sys
facts = json.load(open(sys.argv[1]))
assert facts["service"] in ("web", "odd_name____"), facts
assert facts["labels"]["instance"].startswith("127.0.0.1:"), facts
assert {config["display-name"] for config in facts["types"].values()} == {sys.argv[2]}, facts
PYTHON
    go tool pprof -raw "$found" >"$work/raw" 2>&1 </dev/null || fail "pprof does not read what came"
done
kill "$server"

# --- without the credentials it wants, or refused for another reason: a line, and status 1
ingest closed Authorization="Basic dXNlcjpwYTpzcw=="
collect 1 --push "http://$address/" --profiles threads,fds "web=$one"
said 1 'push to 127\.0\.0\.1:[0-9]+: web threads is refused: 400 '
said 1 '2 profiles could not be pushed'
[ "$(find "$work/kept" -name '*.pb.gz' | wc -l)" = 2 ] || fail "what is refused is not kept"
echo 'user:pa:ss' >"$work/password"
collect 0 --push "http://$address/ingest" --push-credentials "$work/password" "web=$one"
[ "$(taken)" = 3 ] || fail "by user and password $(taken) came and not 3"
kill "$server"

# --- ill for a while: a line, then all of it, and another line
for illness in 503 429 close garbage; do
    ingest "ill-$illness"
    echo "$illness" >"$in/answer"
    collect 0 --push "http://$address" "web=$one" &
    collecting=$!
    until_true has_lines "$in/requests" 2 || fail "$illness: it is not tried again"
    rm "$in/answer"
    wait "$collecting" || fail "$illness: no good end"
    said 1 'push to .* [123] wait and will be tried again'
    said 1 'push to .*: works again after'
    said 2 'push to'
    [ "$(taken)" = 3 ] || fail "$illness: $(taken) came and not 3"
    [ -e "$in/refused" ] && fail "$illness: refused: $(cat "$in/refused")"
    kill "$server"
done

# --- a server that closes what it was to keep alive has not failed
ingest bye
echo bye >"$in/answer"
collect 0 --push "http://$address" "web=$one"
said 0 push
[ "$(taken)" = 3 ] || fail "bye: $(taken) came and not 3"

# --- down for rounds: one line, all is kept, and what waited comes when it is up
kill "$server"
wait "$server" 2>/dev/null
port=${address##*:}
"$snag" collect -d "$work/rounds" --interval 1s --profiles threads --push "http://127.0.0.1:$port" \
    "web=$one" 2>"$work/err" &
collecting=$!
services+=("$collecting")
until_kept() # COUNT
{
    [ "$(find "$work/rounds" -name '*.pb.gz' 2>/dev/null | wc -l)" -ge "$1" ]
}
until_true until_kept 4 || fail "nothing is kept while the push is down"
said 1 'push to'
said 1 'cannot connect; 1 wait and will be tried again'
ingest up "port=$port"
until_true has_taken 4 || fail "what waited does not come"
kill "$collecting"
wait "$collecting" || fail "SIGTERM: no good end"
said 1 'push to .*: works again after [0-9]+ s, [0-9]+ wait, 0 were given up'
[ -e "$in/refused" ] && fail "up: refused: $(cat "$in/refused")"

# --- what cannot be meant
collect 2 --push https://example.invalid "web=$one"
said 1 '--push: https is not spoken here'
collect 2 --push http://user:secret@127.0.0.1:1 "web=$one"
said 1 'a password in it is seen by everybody'
grep -q secret "$work/err" && fail "the password is told"
collect 1 --push http://127.0.0.1:1 --push-credentials "$work/not-there" "web=$one"
said 1 'not-there: No such file'
exit "$failed"
