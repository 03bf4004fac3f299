#!/usr/bin/env bash
# test_dump_command.sh proves that `snag dump` shows what was asked for, in the form that was asked
# for, or says in a sentence why not: of every kind of process and of number that is none, with
# every right or without, to a terminal, a pipe or a file that is whole or not there.
set -u
. "$SNAG_SOURCE/tests/support/service.sh"

snag=$SNAG_BUILD/src/snag
subject=$SNAG_BUILD/tests/programs/dump_subject
cd "$work" || exit 1
chmod 755 "$work"

# start COMMAND...: in the background; sets $process. Waits for "ready" of one that says it.
start()
{
    "$@" >"$work/start.log" 2>&1 </dev/null &
    process=$!
    services+=("$process")
    [ "$1" != "$subject" ] || comes "did not start: $*" grep -q ready "$work/start.log"
}

# answers STATUS PATTERN ARGUMENT...: the exit status, and a line of what it says, on one or the
# other stream, that the pattern is in.
answers()
{
    local status=$1 pattern=$2
    shift 2
    timeout 120 "${as[@]}" "$snag" dump "$@" >out 2>err </dev/null
    local got=$?
    [ $got -eq "$status" ] || fail "snag dump $*: $got instead of $status: $(head -n 3 err)"
    grep -q -e "$pattern" out err || fail "snag dump $*: no '$pattern': $(head -n 5 out err)"
}
as=()

start sleep 1000
sleeper=$process
comes "sleep does not sleep" grep -q '^State:.S' "/proc/$sleeper/status"

# ---- manners ----

answers 0 "Usage: snag dump" --help
[ "$(wc -l <out)" -le 24 ] && [ "$(wc -L <out)" -le 80 ] || fail "--help does not fit a screen"
answers 2 "PID is missing"
answers 2 "no process id" x
answers 2 "no process id" "$sleeper."
answers 2 "no process id" ""
answers 2 "no process id" 99999999999999999999
nap=nap$$
cp "$(command -v sleep)" $nap
start ./$nap 1000
comes "it does not nap" grep -q $nap "/proc/$process/comm"
answers 2 "called so is $process: snag dump $process$" $nap
start ./$nap 1000
comes "it does not nap" grep -q $nap "/proc/$process/comm"
answers 2 "2 processes are called so: [0-9]* [0-9]*$" $nap
answers 2 "no process is called so" nosuch
answers 0 "1 thread in clock_nanosleep" -p "$process"
answers 0 "1 thread in clock_nanosleep" "--pid=$process" threads
answers 0 "descriptors open" fds "$process"
answers 2 "needs a PID" -p $nap
answers 2 "one process at a time" "$sleeper" "$process"
answers 2 "too many" "$sleeper" threads fds
answers 2 "did you mean" "$sleeper" --debgu 1
answers 2 "is 0 (pprof), 1 " "$sleeper" --debug 3
answers 2 "is 0 (pprof), 1 " "$sleeper" --debug
answers 2 "from 1 to 3600" "$sleeper" --seconds 0
answers 2 "from 1 to 3600" "$sleeper" --seconds 1.5
answers 2 "from 0.1 to 3600" "$sleeper" --watch 0.05
answers 2 "from 0.1 to 3600" "$sleeper" --watch 1.
answers 2 "needs a file" "$sleeper" -o
answers 2 "leave --debug out" "$sleeper" --json --debug 1
answers 2 "neither --json nor" "$sleeper" --json --seconds 1
answers 2 "neither --json nor" "$sleeper" --debug 2 --seconds 1
answers 2 "do not go together" "$sleeper" --watch 1 --seconds 1
answers 2 "needs a file" "$sleeper" --watch 1 --debug 0
answers 2 "anyway" "$sleeper" --tid
answers 2 "it is a text" "$sleeper" stuck --debug 0
answers 2 "no profile 'nosuch'; it has threads, threadleak, fds" "$sleeper" nosuch

# ---- profiles and forms ----

answers 0 "1 thread in clock_nanosleep" "$sleeper"
answers 0 "1 thread in clock_nanosleep" -- "$sleeper" threads
answers 0 "^threads profile: total 1" "$sleeper" --debug 1
answers 0 "#0.*nanosleep" "$sleeper" --debug=2
answers 0 "/dev/null" "$sleeper" fds
answers 0 "nothing stuck" "$sleeper" stuck
answers 0 "" "$sleeper" threadleak
answers 1 "no libsnag" "$sleeper" handles
"$snag" dump "$sleeper" --json >out && node -e 'JSON.parse(require("fs").readFileSync("out"))' ||
    fail "--json is none"

# is_pprof FILE: gzip'd, and pprof reads it.
is_pprof()
{
    gzip -t "$1" && go tool pprof -raw "$1" >raw 2>/dev/null && grep -q "^Samples:" raw
}
"$snag" dump "$sleeper" -o - >piped && is_pprof piped || fail "-o - is no profile"
"$snag" dump "$sleeper" --debug 0 >piped && is_pprof piped || fail "--debug 0 is no profile"
"$snag" dump "$sleeper" -o - --tid >piped && is_pprof piped && grep -q "tid:\[$sleeper" raw ||
    fail "--tid keeps no ids"

# ---- files ----

mkdir files
answers 0 "wrote 1 thread to files/a.pb.gz; go tool pprof files/a.pb.gz" "$sleeper" -o files/a.pb.gz
is_pprof files/a.pb.gz || fail "-o FILE is no profile"
[ "$(stat -c %a files/a.pb.gz)" = 600 ] || fail "a new file: $(stat -c %a files/a.pb.gz)"
echo old >files/old
chmod 644 files/old
ln -s old files/link
answers 0 "wrote [0-9]* descriptors to" "$sleeper" fds -o files/link
[ -L files/link ] && is_pprof files/old && [ "$(stat -c %a files/old)" = 644 ] ||
    fail "a file that was there, behind a link: $(ls -l files)"
answers 0 "wrote 1 thread to files/text" "$sleeper" --debug 1 -o files/text
grep -q "^threads profile" files/text || fail "-o with --debug 1"
answers 0 "wrote 0 findings to files/stuck$" "$sleeper" stuck -o files/stuck
answers 1 "cannot write files: Is a directory" "$sleeper" -o files
answers 1 "cannot write nowhere/x: No such file" "$sleeper" -o nowhere/x --seconds 3600
[ -e /dev/full ] && answers 1 "cannot write /dev/full: No space" "$sleeper" -o /dev/full
[ "$(ls files | wc -l)" -eq 5 ] || fail "left behind: $(ls files)"

# ---- files that others chose ----

# A debug file by a link of its name, and one of that name without end.
if cc -g -Wl,--build-id=none -I"$SNAG_SOURCE/include" "$SNAG_SOURCE/tests/programs/dump_subject.c" \
    -L"$SNAG_BUILD/src" -lsnag -Wl,-rpath,"$SNAG_BUILD/src" -o linked -pthread; then
    objcopy --only-keep-debug linked linked.debug
    objcopy --strip-debug --add-gnu-debuglink=linked.debug linked
    subject=./linked
    start ./linked leaderless
    comes "it does not wait" eval '"$snag" dump "$process" | grep -q wait_here'
    answers 0 "wait_here at .*dump_subject.c:" "$process"
    truncate -s 4T linked.debug
    answers 0 "wait_here in linked" "$process"
    subject=$SNAG_BUILD/tests/programs/dump_subject
else
    fail "a program with a debug link does not build"
fi

# ---- names that fill a screen, control groups ----

cat >deep.cc <<'END'
#include <map>
#include <unistd.h>
template <class T, int N> struct deep {
    static void __attribute__((noinline)) dive() { deep<std::map<T, T>, N - 1>::dive(); asm(""); }
};
template <class T> struct deep<T, 0> {
    static void __attribute__((noinline)) dive() { for (;;) pause(); }
};
int main() { deep<int, 8>::dive(); }
END
if c++ -O1 deep.cc -o deep; then
    start ./deep
    comes "it does not dive" grep -q '^State:.S' "/proc/$process/status"
    answers 0 "#1 .*deep<std::map<.* \[[0-9]* bytes\] .*dive()" "$process"
    [ "$(wc -L <out)" -le 500 ] || fail "a line of $(wc -L <out) columns"
else
    fail "templates do not build"
fi

groups=$(findmnt -nt cgroup2 -o TARGET | head -n 1)
if [ -n "$groups" ] && mkdir "$groups/snag.$$" 2>/dev/null; then
    start sleep 1000
    frozen=$process
    if { echo "$frozen" >"$groups/snag.$$/cgroup.procs" &&
        echo 1 >"$groups/snag.$$/cgroup.freeze"; } 2>/dev/null; then
        comes "it does not freeze" grep -q "frozen 1" "$groups/snag.$$/cgroup.events"
        answers 0 "waiting for thaw of its frozen control group" "$frozen"
        echo 0 >"$groups/snag.$$/cgroup.freeze"
        comes "it does not thaw" eval '"$snag" dump "$frozen" | grep -q "waiting for sleep"'
    else
        echo "no control group can be frozen here"
    fi
    kill -KILL "$frozen"
    wait "$frozen" 2>/dev/null
    comes "the control group stays" rmdir "$groups/snag.$$"
else
    echo "no control groups here"
fi

# ---- tables that were made up ----

if cc -rdynamic "$SNAG_SOURCE/tests/programs/made_up_tables.c" -o made_up_tables; then
    subject=./made_up_tables
    start ./made_up_tables
    answers 0 "1 of 1 shards could not be read" "$process" made.up
    answers 0 "1 thread in pause" "$process"
    subject=$SNAG_BUILD/tests/programs/dump_subject
else
    fail "made-up tables do not build"
fi

# ---- too little for itself ----

(ulimit -n 10; "$snag" dump "$sleeper" fds >out 2>err)
[ $? -eq 1 ] && grep -q "(sleep): Too many open files" err || fail "no descriptors: $(cat err)"

# ---- what is no process to be dumped ----

zombies()
{
    # It ends when its parent is no shell any more, which would ask for its status.
    exec bash -c '(until grep -q sleep "/proc/$$/comm"; do :; done) & echo $! >zombie; exec sleep 1000'
}
start zombies
comes "no zombie" eval '[ -s zombie ] && grep -q "^State:.Z" "/proc/$(cat zombie)/status"'
answers 1 "zombie" "$(cat zombie)"
for ((none = 4194303; none > 0; none--)); do [ -e "/proc/$none" ] || break; done
answers 1 "no process $none" "$none"
grep -qs '^kthreadd$' /proc/2/comm && answers 1 "a thread of the kernel" 2
bash -c 'exec "$0" dump $$' "$snag" >out 2>err
[ $? -eq 1 ] && grep -q "this command itself" err || fail "its own process: $(cat err)"
start "$subject" leaderless
thread=$(ls "/proc/$process/task" | sed -n 2p)
answers 0 "^1 thread in pause" "$process"
answers 1 "no process but a thread (dump_subject) of process $process" "$thread"
printf '.globl _start\n_start: mov $29,%%eax\nint $0x80\njmp _start\n' >narrow.s
if [ "$(uname -m)" = x86_64 ] && as --32 -o narrow.o narrow.s && ld -m elf_i386 -o narrow narrow.o &&
    { ./narrow & } && kill -0 $! 2>/dev/null; then
    process=$!
    services+=("$process")
    comes "it does not start" grep -q narrow "/proc/$process/maps"
    answers 1 "of 32 bits" "$process"
fi

# ---- differences ----

mkfifo commands
"$subject" comes <commands >start.log &
process=$!
services+=("$process")
exec 3>commands
comes "did not start" grep -q ready start.log
timeout 120 "$snag" dump "$process" --seconds 1 -o more.pb.gz 2>err &
dumper=$!
while kill -0 $dumper 2>/dev/null; do
    echo >&3
    sleep 0.05
done
wait $dumper || fail "--seconds: $(cat err)"
grep -q "^wrote the difference over 1 s to more.pb.gz" err || fail "it says: $(cat err)"
go tool pprof -traces more.pb.gz >raw 2>/dev/null
grep -q "^  *[1-9][0-9]*  *pause" raw && [ "$(grep -c "^  *[1-9]" raw)" -eq 1 ] ||
    fail "who came: $(cat raw)"
mkdir none
timeout --preserve-status -s INT 1 "$snag" dump "$process" --seconds 3600 -o none/x
[ $? -eq 130 ] && [ -z "$(ls none)" ] || fail "Ctrl-C left something: $? $(ls none)"
"$snag" dump "$process" --seconds 3600 -o none/x 2>err &
dumper=$!
services+=("$dumper")
comes "it does not begin" eval 'ls -l /proc/$dumper/fd | grep -q pidfd'
kill -KILL "$process"
wait "$process" 2>/dev/null
wait $dumper
[ $? -eq 1 ] && grep -q "has ended meanwhile" err && [ -z "$(ls none)" ] ||
    fail "a process that ends: $(cat err)"
exec 3>&-

# ---- watching ----

start sleep 1000
timeout 120 "$snag" dump "$process" --watch 0.1 >watched 2>err &
dumper=$!
comes "it does not watch" eval '[ $(grep -c "^== .*, process '$process' (sleep)" watched) -ge 3 ]'
kill "$process"
wait $dumper && grep -q "has ended after [0-9]* dumps" err || fail "the end of a watch: $(cat err)"
[ "$(grep -c "^== " watched)" -eq "$(grep -c "1 thread in" watched)" ] || fail "not all of them"

"$snag" dump "$sleeper" --watch .1 -o files/watched 2>err &
dumper=$!
services+=("$dumper")
comes "no file" test -s files/watched
first=$(stat -c %i files/watched)
comes "it is not written again" eval '[ "$(stat -c %i files/watched)" != '"$first"' ]'
is_pprof files/watched || fail "a watched file is no profile"
kill "$dumper"
wait $dumper
[ "$(grep -c wrote err)" -eq 1 ] || fail "a watch says each time: $(cat err)"

# What stands still is read once: after the first dump, no stack is.
if strace -o traced -e trace=process_vm_readv true 2>/dev/null; then
    "$snag" dump "$sleeper" --watch .1 -o files/again 2>err &
    dumper=$!
    services+=("$dumper")
    comes "no file" test -s files/again
    timeout 60 strace -qq -o traced -e trace=process_vm_readv,rename -p "$dumper" &
    tracer=$!
    services+=("$tracer")
    comes "no more dumps" eval '[ $(grep -c rename traced) -ge 3 ]'
    # One after the other: a signal that is on its way when a tracer lets go may be lost.
    kill "$tracer"
    wait "$tracer" 2>/dev/null
    kill "$dumper"
    wait "$dumper" 2>/dev/null
    [ "$(grep -c process_vm_readv traced)" -eq 0 ] || fail "a thread that stands still is read again"
fi

# On a terminal, of 10 lines of 30 columns: drawn over, cut to fit, ended by Ctrl-C.
terminal()
{
    timeout 120 script -qec "stty rows 10 cols 30; $1" typescript >/dev/null 2>&1 </dev/null
}
terminal "timeout --foreground --preserve-status -s INT 2 $snag dump $sleeper --watch 0.2"
[ $? -eq 0 ] || fail "Ctrl-C does not end a watch well: $?"
grep -q $'\033\[H' typescript && grep -q $'\033\[J' typescript || fail "it is not redrawn"
grep -q "and [0-9]* more lines" typescript || fail "it is not cut to the screen"
sed -e 1d -e 's/\x1b\[H/\n/g' -e 's/\x1b\[[0-9?]*[A-Za-z]//g' -e 's/\r//g' typescript >drawn
[ "$(grep -v "^Script" drawn | wc -L)" -le 30 ] || fail "lines are wider than the screen"
terminal "$snag dump $sleeper --debug 0; echo status \$?"
grep -q "no text for a terminal" typescript && grep -q "status 2" typescript ||
    fail "a profile on a terminal: $(cat typescript)"

# ---- libsnag in it ----

start "$subject" listening
answers 0 "^2 threads: 2 blocked" "$process"
grep -q "named snag;" out || fail "a thread of the service's is left out for its name"
start "$subject" churn
answers 0 "500 handles by start_churn" "$process" steady
answers 0 "wrote 500 handles to" "$process" steady -o steady.pb.gz
answers 2 "handles, steady, churning, stuck" "$process" nosuch
whole=0
for ((n = 0; n < 20; n++)); do
    "$snag" dump "$process" churning --json >out || fail "amid a churn"
    node -e 'const d = JSON.parse(require("fs").readFileSync("out")), i = d.inventories[0];
             if (d.shards_changing) process.exit(3);
             process.exit(i.live <= 800 && i.bytes === 7 * i.live ? 0 : 1)'
    case $? in
    0) whole=$((whole + 1)) ;;
    1) fail "torn: $(head -c 400 out)" ;;
    esac
done
[ $whole -gt 0 ] || fail "no dump amid a churn was of one moment"

# Linked with the static library: found in the file, or, when that is stripped, in memory.
if cc -g -I"$SNAG_SOURCE/include" "$SNAG_SOURCE/tests/programs/dump_subject.c" \
    "$SNAG_BUILD/src/libsnag.a" -o static -pthread -ldl \
    -Wl,-rpath,"$SNAG_BUILD/src"; then
    cp static stripped
    strip stripped
    subject=./static
    start ./static churn
    answers 0 "500 handles by start_churn" "$process" steady
    subject=./stripped
    start ./stripped churn
    answers 0 "500 handles, 5.0 kB" "$process" steady
    start ./stripped listening
    answers 0 "^2 threads: 2 blocked" "$process"
else
    fail "a program with the static library does not build"
fi

# ---- rights ----

if [ "$(id -u)" -ne 0 ] || ! command -v setpriv >/dev/null; then
    echo "not root: rights are not tried"
    exit $failed
fi
cp "$snag" "$SNAG_BUILD/tests/programs/dump_subject" .
snag=$work/snag
subject=$work/dump_subject
mkdir library
cp -L "$SNAG_BUILD"/src/libsnag*.so.0 library
export LD_LIBRARY_PATH=$work/library
nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)

as=("${nobody[@]}")
answers 1 "belongs to root (uid 0), and you are nobody (uid 65534): run it as that user" "$sleeper"
answers 1 "belongs to root" "$sleeper" fds
start "${nobody[@]}" sleep 1000
comes "it is not nobody's" grep -q '^Uid:.65534' "/proc/$process/status"
comes "it does not sleep" grep -q '^State:.S' "/proc/$process/status"
answers 0 "1 thread in clock_nanosleep" "$process"
as=(setpriv --reuid=65534 --regid=65533 --clear-groups)
answers 1 "another group" "$process"
as=("${nobody[@]}")

"${nobody[@]}" "$subject" undumpable >start.log &
process=$!
services+=("$process")
comes "did not start" grep -q ready start.log
answers 1 "is not dumpable" "$process"
as=()
answers 0 "1 thread in pause" "$process"

start "${nobody[@]}" --inh-caps=+net_bind_service --ambient-caps=+net_bind_service sleep 1000
comes "no capabilities" grep -q '^CapPrm:.*400$' "/proc/$process/status"
as=("${nobody[@]}")
answers 1 "capabilities that you have not" "$process"

as=(setpriv --bounding-set=-sys_ptrace)
answers 1 "you are root, but without CAP_SYS_PTRACE" "$sleeper"

if "${nobody[@]}" unshare -Ur true 2>/dev/null; then
    as=("${nobody[@]}" unshare -Ur)
    answers 1 "outside of your user namespace" "$sleeper"
else
    echo "no user namespaces here"
fi

# Where /proc hides the processes of others.
as=(unshare -m sh -c 'mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid=65534 \
    --regid=65534 --clear-groups "$@"' sh)
if "${as[@]}" true 2>/dev/null; then
    answers 1 "is there, but /proc hides it" "$sleeper"
else
    echo "no mount namespaces here"
fi
exit $failed
