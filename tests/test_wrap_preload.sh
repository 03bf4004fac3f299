#!/usr/bin/env bash
# test_wrap_preload.sh proves of SNAG_TRACK_HANDLES that `snag run` lists the streams, directories
# and unjoined threads of a program that was built without snag, each by who made it, and none that
# has ended; threads started and joined within libstdc++ too; that a program with the wrap headers
# counts nothing twice; that nothing is listed unless asked for; and that a bad value is said.
set -u
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || { echo "skipped: a sanitizer build"; exit 77; }
. "$SNAG_SOURCE/tests/support/service.sh"
snag=$SNAG_BUILD/src/snag
unset LD_PRELOAD SNAG_TRACK_HANDLES

build() # NAME COMPILER...
{
    local program=$1
    shift
    "$@" -g -O1 -D_GNU_SOURCE -Wall -Wextra -Werror "$SNAG_SOURCE/tests/wraps/preloaded.c" -x none \
        -o "$work/$program" -pthread -I"$SNAG_SOURCE/include" -L"$SNAG_BUILD/src" ${library-} \
        -Wl,-rpath,"$SNAG_BUILD/src" || fail "$program does not compile"
}
build plain_c cc -std=c11
build plain_cc c++ -std=c++17 -x c++
library=-lsnag
build wrapped_c cc -std=c11 -DWRAPPED

# live INVENTORY FUNCTION: its handles whose innermost function that is.
live()
{
    awk -v name="$1" -v by="$2" '
        /^[a-z.A-Z]+: [0-9]+ handles?,/ { here = ($1 == name ":") }
        here && / by / && index($4, by) == 1 { sum += $1 }
        END { print sum + 0 }' "$work/text"
}

is() # INVENTORY FUNCTION COUNT
{
    local now
    now=$(live "$1" "$2")
    [ "$now" = "$3" ] || fail "$program: $now of $1 by $2, not $3: $(head -n 20 "$work/text")"
}

# look PROGRAM [VARIABLE=VALUE]: its /debug/handles in $work/text.
look()
{
    program=$1
    shift
    service run env "$@" "$snag" run --listen 127.0.0.1:0 "$work/$program"
    until_true grep -q ready "$work/run.log"
    get "http://$address/debug/handles" >"$work/text"
    end_services
}

for program in plain_c plain_cc wrapped_c; do
    look $program SNAG_TRACK_HANDLES=all
    is stdio.FILE opens_file 1
    is stdio.FILE opens_memory 1
    is dirent.DIR opens_directory 1
    is pthread.thread starts_thread 3
    grep -q '^6 handles live in 3 inventories' "$work/text" || fail "$program: $(head -n 40 "$work/text")"
    grep -q 'not live\|live already' "$work/text" && fail "$program: $(grep 'live' "$work/text")"
done
look plain_c SNAG_TRACK_HANDLES=dirent,stdio
grep -q '^3 handles live in 2 inventories' "$work/text" || fail "dirent,stdio: $(head -n 1 "$work/text")"
look plain_c
grep -q '^0 handles live' "$work/text" || fail "none asked for: $(head -n 1 "$work/text")"

SNAG_TRACK_HANDLES=stdio,fish "$snag" run --listen off true 2>"$work/err"
[ $? = 0 ] || fail "a bad value ends the program"
grep -q '^snag: SNAG_TRACK_HANDLES is "stdio,fish"; allowed are stdio, dirent, pthread' "$work/err" ||
    fail "a bad value is not said: $(cat "$work/err")"
exit "$failed"
