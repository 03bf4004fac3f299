#!/usr/bin/env bash
# test_collect_diff.sh proves that `snag collect diff A B` tells what has grown: the profile that
# it writes is, line by line, what `go tool pprof -base A B` makes of the same two, for threads,
# descriptors and handles of leaking services, of a service that was started again, and for
# profiles that Go wrote; the table names the leak first; directories stand for their oldest and newest;
# and what is no profile is an error in one line.
set -u
. "$SNAG_SOURCE/tests/support/service.sh"
command -v go >/dev/null || skip "no go"
export PPROF_TMPDIR=$work/pprof
snag=$SNAG_BUILD/src/snag
examples=$SNAG_BUILD/examples

# diff STATUS ARGUMENT...: into $work/out, and its complaints into $work/err.
diff_is()
{
    local wanted=$1 status=0
    shift
    "$snag" collect diff "$@" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" = "$wanted" ] || fail "diff $*: status $status and not $wanted: $(head -n 5 "$work/err")"
}

# same_as_go A B [PPROF-OPTION...]: both ways.
same_as_go()
{
    local a=$1 b=$2
    shift 2
    diff_is 0 -o "$work/d.pb.gz" "$a" "$b"
    go tool pprof -raw "$@" -base "$a" "$b" >"$work/go.txt" 2>"$work/go.err" </dev/null ||
        fail "go tool pprof -base $a $b: $(tail -n 2 "$work/go.err")"
    go tool pprof -raw "$@" "$work/d.pb.gz" >"$work/us.txt" 2>"$work/us.err" </dev/null ||
        fail "go tool pprof does not read the difference: $(tail -n 2 "$work/us.err")"
    cmp -s "$work/go.txt" "$work/us.txt" ||
        fail "the difference of $a and $b is not Go's: $(command diff "$work/go.txt" "$work/us.txt" | head -n 10)"
    [ -s "$work/go.txt" ] || fail "go tool pprof -base $a $b says nothing"
}

both_ways()
{
    same_as_go "$@"
    same_as_go "$2" "$1" "${@:3}"
}

says()
{
    grep -qE -- "$1" "$work/${2:-out}" || { fail "it does not say '$1'"; head -n 20 "$work/${2:-out}"; }
}

fetch() # ADDRESS PROFILE FILE
{
    get "http://$1/debug/pprof/$2" -o "$work/$3" || fail "GET $2"
}

# A client that leaks its responses: a thread and a socket each.
service local_server "$examples/local_server" 0 300
service leaky "$examples/leaky_client" "${address##*:}" -n 300 -r 100 -t 120
first=0
for ((i = 0; i < 600; i++)); do
    now=$(threads_total "$address")
    if [ "$first" = 0 ] && [ "${now:-0}" -ge 20 ]; then
        first=$now
        fetch "$address" threads threads.a.pb.gz
        fetch "$address" fds fds.a.pb.gz
    fi
    grep -q '300 requests sent' "$work/leaky.log" && [ "$first" != 0 ] && break
    sleep 0.05
done
fetch "$address" threads threads.b.pb.gz
fetch "$address" fds fds.b.pb.gz
both_ways "$work/threads.a.pb.gz" "$work/threads.b.pb.gz"
both_ways "$work/fds.a.pb.gz" "$work/fds.b.pb.gz"
both_ways "$work/fds.a.pb.gz" "$work/fds.b.pb.gz" -sample_index=age

diff_is 0 "$work/threads.a.pb.gz" "$work/threads.b.pb.gz"
says '^threads: [0-9]+ now, [0-9]+ before \(\+[0-9]+\), in .* from 20[0-9-]+T[0-9:]+Z to 20'
sed -n 4p "$work/out" >"$work/first"
says '^ +\+[0-9]+ +[0-9]+ +[0-9]+  recv.* < http_skip_body http.c:[0-9]+ < refresh_prices leaky_client.c:[0-9]+ < ' first
diff_is 1 --exit-code "$work/threads.a.pb.gz" "$work/threads.b.pb.gz"
diff_is 0 --exit-code --min 100000 "$work/threads.a.pb.gz" "$work/threads.b.pb.gz"
says '^no stack has changed by so much$'
diff_is 0 --exit-code "$work/threads.a.pb.gz" "$work/threads.a.pb.gz"
says '^threads: ([0-9]+) now, \1 before \(0\)'
says '^no stack has changed$'
diff_is 0 --type blocked "$work/threads.b.pb.gz" "$work/threads.a.pb.gz"
says '^blocked: .* \(-'
diff_is 0 "$work/fds.a.pb.gz" "$work/fds.b.pb.gz"
says '^ +\+[0-9]+ +[0-9]+ +[0-9]+  CLOSE_WAIT < tcp < socket$'
diff_is 1 --exit-code -o "$work/d.pb.gz" "$work/fds.a.pb.gz" "$work/fds.b.pb.gz"
diff_is 0 -o - "$work/fds.a.pb.gz" "$work/fds.b.pb.gz"
cmp -s "$work/out" "$work/d.pb.gz" || fail "-o - writes something else"

# Handles; and gzip'd or not.
service inventories "$SNAG_BUILD/tests/programs/inventory_service"
fetch "$address" db.rows rows.a.pb.gz
fetch "$address" handles handles.a.pb.gz
kill -USR1 "$process"
for ((i = 0; i < 200; i++)); do
    fetch "$address" db.rows rows.b.pb.gz
    diff_is 0 "$work/rows.a.pb.gz" "$work/rows.b.pb.gz"
    grep -q '^handles: 8 now, 3 before (+5)' "$work/out" && break
    sleep 0.1
done
says '^ +\+5 +5 +0  fetch_row .*< fetch_more_rows '
fetch "$address" handles handles.b.pb.gz
both_ways "$work/rows.a.pb.gz" "$work/rows.b.pb.gz"
both_ways "$work/handles.a.pb.gz" "$work/handles.b.pb.gz"
both_ways "$work/handles.a.pb.gz" "$work/handles.b.pb.gz" -sample_index=size
gzip -dc "$work/rows.a.pb.gz" >"$work/rows.a.pb" || fail "gzip"
same_as_go "$work/rows.a.pb" "$work/rows.b.pb.gz"

# Started again, at other addresses: the same stacks.
service one "$SNAG_BUILD/tests/programs/assorted"
whole_dump get "http://$address/debug/pprof/threads" -o "$work/dump"
cp "$work/dump" "$work/one.pb.gz"
service two "$SNAG_BUILD/tests/programs/assorted"
whole_dump get "http://$address/debug/pprof/threads" -o "$work/dump"
cp "$work/dump" "$work/two.pb.gz"
both_ways "$work/one.pb.gz" "$work/two.pb.gz"
diff_is 0 "$work/one.pb.gz" "$work/two.pb.gz"
grep -qE '  .*(wait_in_read|wait_in_epoll)' "$work/out" && fail "threads that wait alike in both have changed"

# What Go wrote.
go build -o "$work/heap_writer" "$SNAG_SOURCE/tests/support/heap_writer.go" || fail "go build"
for kind in heap goroutine; do
    "$work/heap_writer" "$kind" "$work/go.a" "$work/go.b" || fail "heap_writer $kind"
    both_ways "$work/go.a" "$work/go.b"
done
says 'goroutine' us.txt
diff_is 0 "$work/go.a" "$work/go.b"
says '^ +\+7 +7 +0  runtime.gopark .* < main.main.func1 heap_writer.go:[0-9]+'
"$work/heap_writer" heap "$work/go.a" "$work/go.b"
both_ways "$work/go.a" "$work/go.b" -sample_index=alloc_objects
diff_is 0 --top 1 "$work/go.a" "$work/go.b"
says '^ *\+1.9 MiB +1.9 MiB +0 B?  main.keep heap_writer.go:[0-9]+ < main.keepMore '
says '--top 0 shows all'

# A directory is its oldest and its newest.
mkdir "$work/dir" "$work/empty"
cp "$work/threads.a.pb.gz" "$work/dir/20261130T202105Z.pb.gz"
diff_is 1 "$work/dir"
says 'there is only one profile in it' err
cp "$work/threads.b.pb.gz" "$work/dir/20261130T202105Z_2.pb.gz"
cp "$work/threads.b.pb.gz" "$work/dir/.20261201T000000Z.pb.gz.tmp"
diff_is 0 "$work/dir"
cp "$work/out" "$work/by_directory"
diff_is 0 "$work/threads.a.pb.gz" "$work/threads.b.pb.gz"
cmp -s "$work/out" "$work/by_directory" || fail "the directory is something else"
diff_is 0 "$work/threads.b.pb.gz" "$work/dir"
says '^no stack has changed$'
# Of several instances it is each with itself, in one sum.
cp "$work/threads.b.pb.gz" "$work/dir/20261130T202106Z-web-1.pb.gz"
diff_is 0 "$work/dir"
cmp -s "$work/out" "$work/by_directory" || fail "an instance with one profile counts"
says '^1 of 2 instances have only one profile in .*, and are left out$' err
diff_is 1 "$work/threads.a.pb.gz" "$work/dir"
says 'several instances' err
cp "$work/threads.a.pb.gz" "$work/dir/20261130T202104Z-web-1.pb.gz"
diff_is 0 "$work/dir"
says ', 2 instances$'
twice() { awk -v times="$2" '/^ *[+-][0-9]/ { sub(/^ *[+]/, ""); print $1 * times, $2 * times }' "$work/$1" | sort; }
[ "$(twice by_directory 2)" = "$(twice out 1)" ] || fail "two instances are not twice one: $(cat "$work/out")"
diff_is 0 "$work/dir/20261130T202105Z.pb.gz" "$work/dir/nothing" "$work/dir/20261130T202106Z-web-1.pb.gz"
cmp -s "$work/out" "$work/by_directory" || fail "of three files it is not the first and the last"

# What is wrong is said in one line.
wrong() # STATUS PATTERN ARGUMENT...
{
    local status=$1 pattern=$2
    shift 2
    diff_is "$status" "$@"
    says "$pattern" err
    [ "$status" = 2 ] || [ "$(wc -l <"$work/err")" = 1 ] || fail "diff $*: more than a line"
    [ -s "$work/out" ] && fail "diff $*: there is output"
}
good=$work/threads.a.pb.gz
head -c 600 "$good" >"$work/cut"
gzip -dc "$good" | head -c 700 >"$work/cut.pb"
{ cat "$good"; echo more; } >"$work/longer"
head -c 400000000 /dev/zero | gzip -1 >"$work/bomb"
get "http://$address/debug/pprof/threads?debug=1" -o "$work/text" || fail "GET debug=1"
: >"$work/nothing"
wrong 1 '/cut: it is cut off after 600 bytes$' "$good" "$work/cut"
wrong 1 '/cut\.pb: it (is no profile|has no table of strings)' "$work/cut.pb" "$good"
wrong 1 '/longer: its gzip is damaged' "$work/longer" "$good"
wrong 1 '/bomb: it is larger than 256 MiB$' "$work/bomb" "$good"
wrong 1 '/text: it is no profile' "$work/text" "$good"
wrong 1 '/nothing: it is empty$' "$work/nothing" "$good"
wrong 1 'No such file' "$work/not-there" "$good"
wrong 1 'there is no profile' "$work/empty"
wrong 1 'it counts other things: threads/count blocked/nanoseconds$' "$good" "$work/fds.a.pb.gz"
wrong 1 'cannot write .*No such file' -o "$work/no/where" "$good" "$good"
wrong 2 "do not count 'fds', but threads blocked$" --type fds "$good" "$good"
wrong 2 'with what shall it be compared' "$good"
wrong 2 'two profiles are wanted'
wrong 2 'did you mean --exit-code' --exit-cod "$good" "$good"
wrong 2 '--min wants a number' --min none "$good" "$good"
diff_is 0 --help
[ "$(wc -l <"$work/out")" -le 24 ] && [ "$(wc -L <"$work/out")" -le 80 ] || fail "--help does not fit a screen"
exit "$failed"
