#!/usr/bin/env bash
# test_watch.sh proves what the monitor does by itself: a line with counts and
# changes, to stderr or to the service's logger; deadlocks and a filling
# descriptor table, told once; all profiles in the directory, whole, bounded in
# number, before a process that does not end is killed; nothing when it is off.
set -u
. "$SNAG_SOURCE/tests/support/service.sh"
watched=$SNAG_BUILD/tests/programs/watched
export SNAG_LISTEN=off
unset SNAG_TERM_SECONDS

# runs NAME COMMAND...: with what it says in $work/NAME
runs() {
    local name=$1
    shift
    timeout 120 "$@" >"$work/$name.log" 2>&1 </dev/null || fail "$name: status $?: $(tail -n 3 "$work/$name.log")"
}
says() { grep -qE -- "$2" "$work/$1.log" || { cat "$work/$1.log"; fail "$1: no line like '$2'"; }; }
silent() { ! grep -qE -- "$2" "$work/$1.log" || { cat "$work/$1.log"; fail "$1: a line like '$2'"; }; }
times() { grep -cE -- "$2" "$work/$1.log"; }
files() { find "$1" -type f -name "$2" | wc -l; }

# ---- lines ----
runs off "$watched" start sleep 2500 stop
[ "$(wc -l <"$work/off.log")" = 2 ] || fail "off: it says something"

runs lines env SNAG_WATCH_SECONDS=1 "$watched" start sleep 1500 threads 3 fds 5 sleep 1000 close sleep 1000 stop
says lines '^started 0, listens on nothing$'
says lines '^snag: 1 threads, [0-9]+ of [0-9,]+ descriptors \([0-9]+ %\)$'
says lines '^snag: 4 threads \(\+3\), [0-9]+ of [0-9,]+ descriptors \([0-9]+ %, \+5\)$'
says lines '^snag: 4 threads \(\+0\), [0-9]+ of [0-9,]+ descriptors \([0-9]+ %, -5\)$'
n=$(times lines '^snag: ')
[ "$n" -ge 3 ] && [ "$n" -le 4 ] || fail "lines: $n lines in 3.5 s"
sed -n '/^stopped$/,$p' "$work/lines.log" | grep -q '^snag' && fail "lines: it talks after the stop"

runs callback env SNAG_WATCH_SECONDS=1 "$watched" log start sleep 2500 stop
says callback '^LOG 1 threads'
silent callback '^snag:'

# A logger that is slow loses lines and holds up nothing.
runs slow env SNAG_WATCH_SECONDS=1 "$watched" slow-log start sleep 3500 stop
says slow '^LOG 1 threads'
says slow '^stopped$'

# A child of fork has no monitor, and the parent's goes on.
runs fork env SNAG_WATCH_SECONDS=1 "$watched" start fork sleep 2500 stop
says fork '^snag: 1 threads \(\+0\)'

runs bad env SNAG_WATCH_SECONDS=x "$watched" start
says bad '^started -22, listens on nothing$'
says bad '^snag: SNAG_WATCH_SECONDS="x": a whole number of seconds from 0 \(off\) to 86400 is allowed$'
runs bad env SNAG_TERM_SECONDS=-1 "$watched" start
says bad '^snag: SNAG_TERM_SECONDS="-1": '
runs bad env SNAG_AUTO_DUMP_DIR=/nowhere "$watched" start
says bad '^snag: SNAG_AUTO_DUMP_DIR="/nowhere": no such directory'

# ---- a listener beside it ----
runs both env SNAG_LISTEN=127.0.0.1:0 SNAG_WATCH_SECONDS=1 "$watched" start threads 2 sleep 1500 stop
says both '^started 0, listens on 127.0.0.1:'
says both '^snag: 3 threads'

# ---- deadlocks ----
mkdir "$work/deadlocks"
runs deadlock env SNAG_WATCH_SECONDS=1 SNAG_AUTO_DUMP_DIR="$work/deadlocks" "$watched" start deadlock 3 sleep 4500 stop
[ "$(times deadlock 'wait for each other|can never go on')" = 1 ] || { cat "$work/deadlock.log"; fail "a deadlock is not told once"; }
says deadlock 'ring-0.*ring-1.*ring-2'
says deadlock "^snag: [0-9]+ profiles were written to $work/deadlocks/watched\\.[0-9]+\\.[0-9]{8}T[0-9]{6}Z\\.deadlock\\.\\*$"
[ "$(files "$work/deadlocks" 'watched.*.deadlock.threads.pb.gz')" = 1 ] || fail "no profile of the deadlock"
for file in "$work"/deadlocks/*.pb.gz; do
    gzip -t "$file" || fail "$file is not whole"
done
gzip -dc "$work"/deadlocks/*.deadlock.threadleak.pb.gz | grep -qa ring-2 || fail "the profile does not name the threads"
grep -q 'ring-1' "$work"/deadlocks/*.deadlock.stuck.txt || fail "the diagnosis does not name the threads"

# ---- a descriptor table that fills ----
mkdir "$work/fds"
(ulimit -n 64 && runs fds env SNAG_WATCH_SECONDS=1 SNAG_AUTO_DUMP_DIR="$work/fds" "$watched" \
    start fds 50 sleep 2500 fds 8 sleep 2500 close sleep 1500 fds 50 sleep 1500 stop; exit $failed) || failed=1
[ "$(times fds '^snag: 5[0-9] of 64 descriptors are open \(8[0-9] %\)$')" = 2 ] || { cat "$work/fds.log"; fail "80 % is not told once, and again after a fall"; }
[ "$(times fds '^snag: 6[0-9] of 64 descriptors are open \((9|10)[0-9] %\)$')" = 1 ] || { cat "$work/fds.log"; fail "95 % is not told once"; }
[ "$(files "$work/fds" '*.fds80.fds.pb.gz')" = 1 ] && [ "$(files "$work/fds" '*.fds95.fds.pb.gz')" = 1 ] ||
    fail "not one set for each, and no second within a minute: $(ls "$work/fds")"

# To the last one: the listener has descriptors of its own.
mkdir "$work/full"
(ulimit -n 64 && runs full env SNAG_WATCH_SECONDS=1 SNAG_AUTO_DUMP_DIR="$work/full" "$watched" \
    start fds 100 sleep 2500 close stop; exit $failed) || failed=1
says full '^snag: 6[4-9] of 64 descriptors are open \(10[0-9] %\)$'
[ "$(files "$work/full" '*.fds95.*.pb.gz')" -ge 3 ] || fail "a full table leaves no profiles"

# ---- without lines, the directory alone ----
mkdir "$work/quiet"
runs quiet env SNAG_AUTO_DUMP_DIR="$work/quiet" "$watched" start deadlock 2 sleep 12500 stop
silent quiet '^snag: [0-9]+ threads'
[ "$(files "$work/quiet" '*.deadlock.threads.pb.gz')" = 1 ] || fail "without lines nothing is dumped"

# ---- a SIGTERM that does not end it ----
for handler in handler info; do
    mkdir "$work/term-$handler"
    runs "term-$handler" env SNAG_WATCH_SECONDS=1 SNAG_TERM_SECONDS=2 SNAG_AUTO_DUMP_DIR="$work/term-$handler" \
        "$watched" $handler start sleep 300 term sleep 3500 stop
    says "term-$handler" '^handled SIGTERM$'
    says "term-$handler" '^snag: 2 s after a SIGTERM the process is still there$'
    [ "$(files "$work/term-$handler" '*.sigterm.threads.pb.gz')" = 1 ] || fail "no profile after a SIGTERM ($handler)"
done
# a handler that is set afterwards is found at the next look
mkdir "$work/term-later"
runs term-later env SNAG_WATCH_SECONDS=1 SNAG_TERM_SECONDS=1 SNAG_AUTO_DUMP_DIR="$work/term-later" \
    "$watched" start handler sleep 1800 term sleep 2500 stop
says term-later '^handled SIGTERM$'
[ "$(files "$work/term-later" '*.sigterm.threads.pb.gz')" = 1 ] || fail "a later handler is not found"
# by default it ends the process, as it always did
mkdir "$work/term-default"
status=0
env SNAG_WATCH_SECONDS=1 SNAG_TERM_SECONDS=1 SNAG_AUTO_DUMP_DIR="$work/term-default" timeout 60 \
    "$watched" start sleep 300 term sleep 5000 >"$work/term-default.out" 2>&1 || status=$?
[ "$status" = 143 ] || fail "a SIGTERM by default: status $status"

# ---- bounded, and nothing of others is touched ----
mkdir "$work/many"
touch "$work/many/watched.log" "$work/many/other.1.20200101T000000Z.fds80.threads.pb.gz" "$work/many/.watched.999999999.20200101T000000Z.fds80.fds.pb.gz.tmp"
for ((i = 0; i < 12; i++)); do
    for form in threads.pb.gz fds.pb.gz stuck.txt; do
        touch "$work/many/watched.77.202001$((10 + i))T000000Z.fds80.$form"
    done
done
runs many env SNAG_WATCH_SECONDS=1 SNAG_AUTO_DUMP_DIR="$work/many" "$watched" start deadlock 2 sleep 2500 stop
[ "$(files "$work/many" 'watched.77.*')" = 27 ] || fail "not nine older sets are left: $(ls "$work/many")"
[ -e "$work/many/watched.77.20200111T000000Z.fds80.stuck.txt" ] && fail "an older set is there, a newer one is not"
[ -e "$work/many/watched.log" ] && [ -e "$work/many/other.1.20200101T000000Z.fds80.threads.pb.gz" ] || fail "files of others are gone"
[ -e "$work/many/.watched.999999999.20200101T000000Z.fds80.fds.pb.gz.tmp" ] && fail "a half file of a process that is gone is still there"

# ---- killed at any moment: what has its name is whole ----
mkdir "$work/killed"
whole=0
for ((i = 0; i < 25; i++)); do
    SNAG_WATCH_SECONDS=1 SNAG_AUTO_DUMP_DIR="$work/killed" "$watched" deadlock 4 threads 200 sleep 100 start sleep 20000 >/dev/null 2>&1 &
    victim=$!
    for ((j = 0; j < 400; j++)); do
        [ -n "$(find "$work/killed" -name ".watched.$victim.*" -print -quit)$(find "$work/killed" -name "watched.$victim.*" -print -quit)" ] && break
        sleep 0.005
    done
    sleep "0.0$((RANDOM % 40 + 10))"
    kill -KILL "$victim" 2>/dev/null
    wait "$victim" 2>/dev/null
done
for file in "$work"/killed/watched.*.pb.gz; do
    [ -e "$file" ] || continue
    gzip -t "$file" 2>/dev/null && [ -s "$file" ] || fail "$file is not whole"
    whole=$((whole + 1))
done
[ "$whole" -ge 5 ] || fail "only $whole files were there to be looked at"
exit $failed
