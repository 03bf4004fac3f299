#!/usr/bin/env bash
# test_dump_true.sh proves that `snag dump` tells of another process what is true, and leaves it
# alone: about 150 ways of blocking, each thread's own record held against the dump from outside,
# address by address, in the builds below; a redis-server's stacks held against gdb's and
# eu-stack's; and a process that counts what disturbs it, dumped a thousand times.
#   test_dump_true.sh [PATTERN]   only the builds whose row matches
set -u
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || { echo "skipped: a sanitizer build"; exit 77; }
. "$SNAG_SOURCE/tests/support/service.sh"
here=$SNAG_SOURCE/tests/truth
snag=$SNAG_BUILD/src/snag
built=$SNAG_BUILD/tests/truth
mkdir -p "$built"

# ---- the threads' own word ----
# compiler | flags | link flags | with eu-stack
builds=(
    "gcc|-O0||--eu-stack"
    "gcc|-O2||--eu-stack"
    "gcc|-O2 -fno-omit-frame-pointer||"
    "gcc|-O2|-s|"
    "gcc|-O0 -fno-pie|-no-pie -s|"
    "gcc|-O2 -fcf-protection=full -fstack-protector-all||"
    "gcc|-O2|-static|"
    "gcc|-O0|-static -s|"
    "clang|-O0||"
    "clang|-O2|-s|--eu-stack"
)

build_one() { # number row
    local compiler flags link options
    IFS='|' read -r compiler flags link options <<<"$2"
    bash "$here/build.sh" "$built/outside-$1" blockers "$compiler" "$flags" "$link" >"$work/build-$1" 2>&1
}
export -f build_one
export here built work
for i in "${!builds[@]}"; do
    [[ ${builds[$i]} == *${1:-}* ]] && command -v "${builds[$i]%%|*}" >/dev/null &&
        printf '%s\0%s\0' "$i" "${builds[$i]}"
done | xargs -0 -P 2 -n 2 bash -c 'build_one "$1" "$2"' build || { tail -n 5 "$work"/build-*; exit 1; }

compared=0
for i in "${!builds[@]}"; do
    [ -x "$built/outside-$i" ] && [[ ${builds[$i]} == *${1:-}* ]] || continue
    IFS='|' read -r compiler flags link options <<<"${builds[$i]}"
    # shellcheck disable=SC2086 # options are words
    timeout 180 "$built/outside-$i" $options --outside "$snag" >"$work/run" 2>&1 ||
        { fail "$compiler $flags $link: exit status $?"; grep -v ^RESULT "$work/run" | head -n "${SNAG_TEST_LINES:-30}"; }
    printf '%-52s %s\n' "$compiler $flags $link" "$(sed -n 's/^RESULT //p' "$work/run" | tr -s ' ' | paste -sd ';')"
    compared=$((compared + $(awk '/^RESULT blocks/ { print $4 }' "$work/run" | grep . || echo 0)))
done
echo "$compared stacks equal"
[ "$compared" -gt 0 ] || fail "nothing was compared"

# ---- beside gdb and eu-stack, on a program of Debian's ----
# plain: "TID ADDRESS NAME" a line; of names that mean the same code, one: __GI___poll, poll@@GLIBC.
plain()
{
    awk '{ sub(/@.*/, "", $3); sub(/\+0x.*/, "", $3); sub(/^_*(GI_)?_*/, "", $3); sub(/_impl$/, "", $3)
           print $1, $2, $3 }'
}
frames_by_snag()
{
    "$snag" dump "$1" threads --debug 2 | awk '/^thread / { tid = $2 } /^#/ { print tid, $2, $3 }' | plain
}
frames_by_eu_stack()
{
    eu-stack -p "$1" | awk '/^TID / { tid = $2 + 0 } /^#/ { print tid, $2, $3 }' | plain
}
frames_by_gdb()
{
    gdb -nx -p "$1" -batch -ex 'set backtrace past-main on' -ex 'thread apply all bt' 2>/dev/null </dev/null |
        awk '/^Thread .*LWP/ { match($0, /LWP [0-9]+/); tid = substr($0, RSTART + 4, RLENGTH - 4) }
             /^#[0-9]+ +0x/ { print tid, $2, $4 }' | plain
}
# same_stacks: each thread has the same addresses in $work/ours as in $work/theirs, and what has a name
# there has it here.
same_stacks()
{
    cut -d' ' -f1,2 "$work/ours" | uniq | sort -s -k1,1n >"$work/a"
    cut -d' ' -f1,2 "$work/theirs" | uniq | sort -s -k1,1n >"$work/b"
    cmp -s "$work/a" "$work/b" && names_agree
}
names_agree()
{
    awk 'NR == FNR { at[$1, $2] = at[$1, $2] " " $3 " "; next }
         ($1, $2) in at && $3 != "" && $3 != "??" && index(at[$1, $2], " " $3 " ") == 0 {
             print "thread " $1 " at " $2 ": " $3 ", not" at[$1, $2]; wrong = 1 }
         END { exit wrong }' "$work/ours" "$work/theirs"
}
# gdb_agrees: the same for gdb, which prints no address for the innermost frame, and adds frames of
# calls that left none (a call that became a jump), as it infers them.
gdb_agrees()
{
    awk 'NR == FNR { theirs[$1, $2] = 1; next }
         $1 != tid { tid = $1; innermost = $2 }
         $2 != innermost && !(($1, $2) in theirs) { print "thread " $1 " at " $2 " " $3 ": not in gdb"; wrong = 1 }
         END { exit wrong }' "$work/theirs" "$work/ours" && names_agree
}
# agrees HOW TEST: a thread may have moved between the two looks; never in ten of them.
agrees()
{
    local try
    for ((try = 0; try < 10; try++)); do
        frames_by_snag "$redis" >"$work/ours"
        "frames_by_$1" "$redis" >"$work/theirs"
        [ "$(wc -l <"$work/theirs")" -gt 20 ] && $2 >"$work/said" && return
    done
    fail "redis: snag and $1 differ: $(head -n 3 "$work/said")"
}
if command -v redis-server >/dev/null; then
    redis-server --port 0 --unixsocket "$work/socket" --save '' --io-threads 4 >"$work/redis" 2>&1 &
    redis=$!
    services+=("$redis")
    for ((i = 0; i < 200; i++)); do
        [ -S "$work/socket" ] && [ "$(ls "/proc/$redis/task" | wc -l)" -ge 7 ] && break
        sleep 0.05
    done
    command -v eu-stack >/dev/null && agrees eu_stack same_stacks
    command -v gdb >/dev/null && agrees gdb gdb_agrees
    echo "redis: $(cut -d' ' -f1 "$work/ours" | uniq | wc -l) threads, $(wc -l <"$work/ours") frames as gdb and eu-stack have them"
fi

# ---- a thousand dumps disturb nobody ----
gcc -O2 -D_GNU_SOURCE -pthread "$here/unharmed.c" -o "$work/unharmed" || exit 1
coproc TARGET { exec "$work/unharmed"; }
target=$TARGET_PID
IFS= read -r -t 60 line <&"${TARGET[0]}" || fail "the target is not ready"
disturbed() # what the target counted since the last question
{
    echo >&"${TARGET[1]}"
    IFS= read -r -t 60 line <&"${TARGET[0]}" || line="no answer"
    echo "$line"
}
# Two at a time, of all profiles.
dump_often()
{
    local i
    for ((i = 0; i < 200; i++)); do "$snag" dump "$target" >/dev/null || return; done
    for ((i = 0; i < 50; i++)); do "$snag" dump "$target" stuck >/dev/null || return; done
    for ((i = 0; i < 250; i++)); do "$snag" dump "$target" fds >/dev/null || return; done
}
dump_often &
other=$!
dump_often || fail "a dump of the target failed"
wait "$other" || fail "a dump of the target failed"
line=$(disturbed)
echo "1,000 dumps: $line"
[ "$line" = "EINTR 0 returned 0 signals 0 switched 0" ] || fail "the target was disturbed: $line"
# That it would have noticed: these two stop it.
if command -v gdb >/dev/null; then
    gdb -nx -p "$target" -batch -ex 'thread apply all bt' >/dev/null 2>&1 </dev/null
    echo "one gdb:     $(disturbed)"
fi
if command -v eu-stack >/dev/null; then
    eu-stack -p "$target" >/dev/null 2>&1
    echo "one eu-stack: $(disturbed)"
fi
kill -USR1 "$target"
line=$(disturbed)
[[ $line == *"signals 1 "* ]] || fail "a signal was not counted: $line"
kill "$target"
exit "$failed"
