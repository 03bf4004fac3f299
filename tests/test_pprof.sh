#!/usr/bin/env bash
# test_pprof.sh proves that `go tool pprof` reads what the listener serves, in
# every way an operator asks: by URL, from a file, gzip'd or as text, one dump, the
# difference of two, with thread ids or without, for each report. 77 without go.
set -u
. "$SNAG_SOURCE/tests/support/service.sh"
command -v go >/dev/null || skip "no go"
export PPROF_TMPDIR=$work/pprof HOME=$work

service assorted "$SNAG_BUILD/tests/programs/assorted"
url=http://$address/debug/pprof/threads
threads=$(sed -n 's/^threads=//p' "$work/assorted.log")

# pprof OPTION...: into $work/dump; a failure or a complaint fails the test.
pprof()
{
    timeout 60 go tool pprof "$@" >"$work/dump" 2>"$work/err" </dev/null ||
        fail "go tool pprof $*: $(tail -n 3 "$work/err")"
    grep -iE 'error|warning|no such|unrecognized|malformed|inconsistent' "$work/err" &&
        fail "go tool pprof $* complained"
    return 0
}

# says PATTERN [WHAT]: a line of the last report matches.
says()
{
    grep -qE "$1" "$work/dump" || { fail "${2:-the report} does not say '$1'"; head -n 40 "$work/dump"; }
}

# check_top WHAT [LEFT_OUT]: every kind of thread but LEFT_OUT, with its count in
# the column of sums: "0  0% 84.62%  3 11.54%  wait_in_read".
check_top()
{
    local what=$1 left_out=${2-} name count
    says "of $threads total" "$what"
    while IFS='=' read -r name count; do
        [ "$name" = "$left_out" ] && continue
        says "^ +[0-9]+ +[0-9.]+% +[0-9.]+% +$count +[0-9.]+% +$name( |$)" "$what"
    done < <(grep '=' "$work/assorted.log" | grep -v '^threads=')
}

whole_dump pprof -top -nodecount=0 -nodefraction=0 "$url"
says '^Type: threads$' "-top"
says '^File: assorted$' "-top"
check_top "-top by URL"

# fetch QUERY FILE: a dump into $work/FILE.
fetch()
{
    whole_dump get "$url$1" -o "$work/dump" || fail "GET threads$1"
    cp "$work/dump" "$work/$2"
}
fetch "" a.pb.gz
fetch "?tid=1" tid.pb.gz
get "$url?debug=1" -o "$work/text" || fail "GET threads?debug=1"

pprof -top -nodecount=0 -nodefraction=0 "$work/a.pb.gz"
check_top "-top of a file"
pprof -top -nodecount=0 -nodefraction=0 "$work/tid.pb.gz"
check_top "-top with thread ids"

pprof -raw "$work/a.pb.gz"
says '^PeriodType: threads count$' "-raw"
says '^Samples:$' "-raw"
says '^threads/count\[dflt\] blocked/nanoseconds$' "-raw"
says '^ +4 +[1-9][0-9]*: ' "-raw (four wait on a mutex, for some time)"
says 'state:\[sleeping\]' "-raw"
says 'capture:\[procfs\]' "-raw"
says '^ +[0-9]+: 0x[0-9a-f]+ M=[0-9]+ wait_in_poll .*assorted\.c:[0-9]+' "-raw (a location)"
says '^[0-9]+: 0x[0-9a-f]+/0x[0-9a-f]+/0x[0-9a-f]+ .*/assorted [0-9a-f]{16,} \[FN\]\[FL\]\[LN\]' "-raw (a mapping)"

pprof -raw "$work/tid.pb.gz"
[ "$(grep -c 'tid:\[' "$work/dump")" = "$threads" ] || fail "not every thread has its tid"

pprof -traces "$work/a.pb.gz"
says '^ +5 +[a-zA-Z_]' "-traces"
for function in wait_in_epoll kind_main wait_far_down main; do
    says "^ +(5 +)?$function$" "-traces"
done
[ "$(grep -c '^ *wait_far_down$' "$work/dump")" -ge 61 ] || fail "-traces: the deep stack is not whole"

pprof -tags "$work/a.pb.gz"
says '^ *thread: Total '"$threads"'' "-tags"
says '^ *5\.0 \( *[0-9.]+%\): wait_on_conditi$' "-tags"
says '^ *state: Total '"$threads"'' "-tags"
says '^ *syscall: Total ' "-tags"

pprof -sample_index=blocked -top -nodecount=0 -nodefraction=0 "$work/a.pb.gz"
says '^Type: blocked$' "the other sample type"
says ' wait_on_mutex' "the other sample type"

pprof -peek 'wait_in_accept$' "$work/a.pb.gz"
says 'kind_main' "-peek"
pprof -list '^wait_in_accept$' -source_path="$SNAG_SOURCE" "$work/a.pb.gz"
says 'accept\(listening, NULL, NULL\)' "-list"
pprof -dot "$work/a.pb.gz"
says 'wait_on_mutex' "-dot"

# Two dumps of threads that did not move differ by nothing.
fetch "" b.pb.gz
pprof -top -base "$work/a.pb.gz" "$work/b.pb.gz"
says 'Showing nodes accounting for 0' "-base"

# The difference over a second: nothing came, nothing went; and pprof asks for it itself.
get "$url?seconds=1" -o "$work/delta.pb.gz" || fail "GET seconds=1"
pprof -raw "$work/delta.pb.gz"
says '^Duration: 1(\.[0-9]+)?$|^Duration: 1s|^Duration: 1\.' "seconds=1"
pprof -top -seconds 1 "$url"
says '^Duration: 1(\.[0-9]+)?s' "-seconds 1"

# debug=1 is Go's text form. Names stand in comments there, so pprof asks /symbol.
# It does not tell a dump that is not whole; only a running thread may be without a stack.
pprof -top -nodecount=0 -nodefraction=0 "$url?debug=1"
check_top "-top of the text by URL" spin
pprof -raw "$work/text"
says '^PeriodType: threads count$|^threads/count' "-raw of the text"
exit "$failed"
