#!/usr/bin/env bash
# test_dump_elsewhere.sh proves that `snag dump` names what a process runs by the process's own
# files, wherever they are (another mount namespace, a chroot, an overlay, deleted, replaced), and
# never by another file at the same path; and that thread ids, sockets and labels are right for a
# process in other pid and network namespaces.
set -u
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || { echo "skipped: a sanitizer build"; exit 77; }
. "$SNAG_SOURCE/tests/support/service.sh"
here=$SNAG_SOURCE/tests/elsewhere
snag=$SNAG_BUILD/src/snag
spot=$work/spot # where the program is, by its path
mkdir -p "$spot" "$work/logs"

root=0
[ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null && root=1
[ "$root" = 1 ] || echo "not root, or namespaces are refused: half of it is left out"

# target COMMAND...: starts it; $target is the process, whose namespaces may be others. Waits until
# it has $threads threads and all of them sleep.
target()
{
    "$@" >"$work/logs/target" 2>&1 </dev/null &
    local started=$! i
    services+=("$started")
    for ((i = 0; i < 400; i++)); do
        target=$started
        local child
        child=$(cat "/proc/$started/task/$started/children" 2>/dev/null)
        [ "${1##*/}" = unshare ] && [[ " $* " == *"pf --mount-proc "* ]] && target=${child%% *}
        if [ -n "$target" ] && settled "$target"; then return; fi
        sleep 0.05
    done
    fail "did not start: $* ($(head -n 2 "$work/logs/target"))"
}
settled()
{
    [ "$(readlink "/proc/$1/exe")" != "$(readlink -f "$(command -v unshare)")" ] &&
        [ "$(cat "/proc/$1/comm" 2>/dev/null)" = "$name" ] &&
        [ "$(ls "/proc/$1/task" | wc -l)" -ge "${threads:-1}" ] &&
        ! awk '$1 == "State:" && $2 !~ /[SZ]/ { found = 1 } END { exit !found }' "/proc/$1/task/"*/status
}
gone() # the target ends
{
    kill -9 "$target" 2>/dev/null
    end_services
}
# names WHAT [PROGRAM]: the dump of the target has its own names, and none of the other build's. Of
# PROGRAM "bare" nothing may be named.
names()
{
    "$snag" dump "$target" >"$work/dump" 2>&1 || fail "$1: $(head -n 1 "$work/dump")"
    if [ "${2:-}" = bare ]; then
        grep -Eq 'right_in|wrong_in' "$work/dump" && fail "$1: a name out of nothing: $(grep _in_ "$work/dump")"
        grep -q 'libplace.so+0x' "$work/dump" || fail "$1: no place in the library: $(cat "$work/dump")"
        return
    fi
    grep -q 'right_in_library' "$work/dump" && grep -q 'right_in_program' "$work/dump" ||
        fail "$1: names are missing: $(grep '#' "$work/dump")"
    grep -q 'wrong_' "$work/dump" && fail "$1: names of another file: $(grep wrong_ "$work/dump")"
    grep -q ' main ' "$work/dump" || fail "$1: not to main: $(grep '#' "$work/dump")"
}
# build DIRECTORY right|wrong FLAGS: program and library, to run at $spot.
build()
{
    mkdir -p "$1"
    # shellcheck disable=SC2086 # flags are words
    gcc -g -O1 $3 -DWHICH="$2" -DLIBRARY -shared -fPIC "$here/place.c" -o "$1/libplace.so" &&
        gcc -g -O1 $3 -DWHICH="$2" "$here/place.c" -o "$1/place" -L"$1" -lplace -Wl,-rpath,"$spot" || exit 1
}
build "$work/right" right ""
build "$work/wrong" wrong ""
build "$work/right-bare" right -Wl,--build-id=none
build "$work/wrong-bare" wrong -Wl,--build-id=none
name=place

# ---- deleted, replaced ----
cp "$work/right/"* "$spot"
target "$spot/place"
rm "$spot"/*
[ "$root" = 1 ] && names "program and library deleted"
cp "$work/wrong/"* "$spot"
[ "$root" = 1 ] && names "replaced by another build"
"$snag" dump "$target" | grep wrong_ && fail "replaced by another build: its names"
gone
# Without a build id, only the very file will do.
cp "$work/right-bare/"* "$spot"
target "$spot/place"
[ "$root" = 1 ] && names "no build id"
mkdir "$work/aside" && mv "$spot"/* "$work/aside" && cp "$work/wrong-bare/"* "$spot"
"$snag" dump "$target" | grep wrong_ && fail "replaced, no build id: names of the other"
gone

# ---- other mounts: at the same path here is another file ----
elsewhere() # WHAT COMMANDS: in a mount namespace, then the program at its path
{
    cp "$work/wrong/"* "$spot"
    target unshare -m bash -c "$2 && exec $spot/place"
    names "$1"
    gone
}
if [ "$root" = 1 ]; then
    elsewhere "bind mount" "mount --bind $work/right $spot"
    elsewhere "tmpfs" "mount -t tmpfs none $spot && cp $work/right/* $spot"
    elsewhere "bind mount, no build id" "mount --bind $work/right-bare $spot"
    mkdir -p "$work/upper" "$work/aux" && mount -t tmpfs none "$work/aux" 2>/dev/null && {
        mkdir "$work/aux/upper" "$work/aux/work"
        overlay="mount -t overlay none -o upperdir=$work/aux/upper,workdir=$work/aux/work,lowerdir="
        if unshare -m bash -c "$overlay$work/right $spot" 2>/dev/null; then
            elsewhere "overlay" "$overlay$work/right $spot"
            elsewhere "overlay, no build id" "$overlay$work/right-bare $spot"
        else
            echo "not here: an overlay cannot be mounted"
        fi
        umount -l "$work/aux"
    }
    cp "$work/wrong/"* "$spot"
    target unshare -mpf --mount-proc bash -c "mount --bind $work/right $spot && exec $spot/place"
    names "its own pid namespace"
    [ "$(awk '/^NSpid/ { print NF }' "/proc/$target/status")" = 3 ] || fail "it is in no pid namespace"
    gone
fi

# ---- a chroot whose debug files are only there ----
if [ "$root" = 1 ]; then
    jail=$work/jail
    mkdir -p "$jail$spot" "$jail/dbg/.build-id" "$jail/usr/lib"
    ln -s /dbg "$jail/usr/lib/debug" # absolute: there it means $jail/dbg
    for file in "$work/right/place" $(ldd "$work/right/place" | grep -o '/[^ ]*\.so[^ ]*'); do
        [ -e "$file" ] && mkdir -p "$jail$(dirname "$file")" && cp -L "$file" "$jail$file"
    done
    for file in place libplace.so; do
        id=$(readelf -n "$work/right/$file" | sed -n 's/.*Build ID: //p')
        mkdir -p "$jail/dbg/.build-id/${id:0:2}"
        objcopy --only-keep-debug "$work/right/$file" "$jail/dbg/.build-id/${id:0:2}/${id:2}.debug"
        strip -s "$work/right/$file" -o "$jail$spot/$file"
    done
    target chroot "$jail" "$spot/place"
    names "chroot"
    grep -q 'right_in_library at .*place.c' "$work/dump" || fail "chroot: no lines from its debug file"
    rm -r "$jail/dbg"
    names "chroot without debug files" bare
    gone
fi

# ---- thread ids of a pid namespace; a first thread that has exited ----
gcc -g -O1 -D_GNU_SOURCE -pthread "$here/knot.c" -o "$work/knot" || exit 1
name=knot
knot() # WHAT COMMAND...
{
    local what=$1
    shift
    target "$@"
    "$snag" dump "$target" stuck >"$work/stuck"
    grep -q '^1. threads left and right wait for each other' "$work/stuck" || fail "$what: no deadlock: $(head -n 3 "$work/stuck")"
    grep -q '^2. thread waits can never go on: the thread that locked the mutex orphan is gone' "$work/stuck" ||
        fail "$what: a mutex whose owner is gone: $(head -n 3 "$work/stuck")"
    # By its number in there it would be another process out here.
    "$snag" dump "$target" | grep -q 'waiting for child offspring$' ||
        fail "$what: the child: $("$snag" dump "$target" | grep -A 3 'named parent')"
    "$snag" dump "$target" fds --debug 2 >"$work/fds"
    grep -q 'not asked for the type' "$work/fds" && fail "$what: $(grep 'not asked' "$work/fds")"
    grep -q '^fd 9: .*/dev/null' "$work/fds" || fail "$what: no descriptor 9: $(head -n 5 "$work/fds")"
    gone
}
threads=5
knot "a deadlock" "$work/knot"
knot "the first thread has exited" "$work/knot" exit
if [ "$root" = 1 ]; then
    knot "a pid namespace" unshare -pf --mount-proc "$work/knot"
    knot "a pid namespace, the first thread has exited" unshare -pf --mount-proc "$work/knot" exit
    # Labels and starters are kept by the ids that the process itself has.
    name=labelled threads=24
    target unshare -pf --mount-proc env LD_PRELOAD="$SNAG_BUILD/src/libsnag-track.so" "$SNAG_BUILD/tests/programs/labelled"
    "$snag" dump "$target" >"$work/dump"
    grep -q 'label tenant: acme (12), globex (3)' "$work/dump" || fail "pid namespace: no labels: $(head -n 20 "$work/dump")"
    [ "$(grep -c 'started by start at' "$work/dump")" -ge 3 ] || fail "pid namespace: no starters"
    "$snag" dump "$target" --debug 2 | grep -q "by pthread_create() in thread $target " || fail "pid namespace: the starter's id"
    gone
fi

# ---- sockets of another network namespace ----
if [ "$root" = 1 ] && unshare -n true 2>/dev/null; then
    gcc -D_GNU_SOURCE "$here/sockets.c" -o "$work/sockets" || exit 1
    name=sockets threads=1
    target unshare -n "$work/sockets" "$work/socket"
    sockets_are_right() # WHAT COMMAND...
    {
        "${@:2}" "$snag" dump "$target" fds >"$work/fds" || fail "$1: exit status $?"
        grep -q '^1 tcp CLOSE_WAIT on 127.0.0.1:5555, 3 bytes unread' "$work/fds" &&
            grep -q '^1 tcp FIN_WAIT[12] to 127.0.0.1:5555' "$work/fds" &&
            grep -q "^1 unix LISTEN on $work/socket" "$work/fds" || fail "$1: $(cat "$work/fds")"
    }
    sockets_are_right "network namespace"
    grep -q 'sockets by /proc/net' "$work/fds" && fail "sock_diag of the namespace was not asked"
    sockets_are_right "network namespace, not to be entered" setpriv --bounding-set=-sys_admin
    grep -q 'sockets by /proc/net' "$work/fds" || fail "it is not said where sockets are from"
    gone
fi
# ---- programs without libraries, of another language, with a machine of their own ----
# Each frame is named by the program's own symbols, or is a place in it.
threads=1
for link in -static "-static -s" -static-pie "-static-pie -s"; do
    name=alone
    # shellcheck disable=SC2086
    gcc -g -O1 $link -DWHICH=right -DLIBRARY -c "$here/place.c" -o "$work/library.o" &&
        gcc -g -O1 $link -DWHICH=right -c "$here/place.c" -o "$work/program.o" &&
        gcc $link "$work/library.o" "$work/program.o" -o "$work/alone" 2>/dev/null ||
        { echo "not here: gcc $link"; continue; }
    target "$work/alone"
    "$snag" dump "$target" >"$work/dump"
    grep -q '1 blocked' "$work/dump" || fail "$link: $(head -n 2 "$work/dump")"
    if [[ $link == *" -s" ]]; then
        grep '#' "$work/dump" | grep -v ' alone+0x' && fail "$link: names out of nothing"
        [ "$(grep -c '#' "$work/dump")" -ge 7 ] || fail "$link: not to the end: $(cat "$work/dump")"
    else
        names "$link"
    fi
    gone
done
if command -v go >/dev/null; then
    cat >"$work/waiting.go" <<'END'
package main

import "time"

func main() { time.Sleep(time.Hour) }
END
    for flags in "" "-s -w"; do
        name=waiting threads=3
        GO111MODULE=off CGO_ENABLED=0 GOFLAGS= GOCACHE=$work/cache go build -ldflags "$flags" -o "$work/waiting" "$work/waiting.go" || continue
        target "$work/waiting"
        "$snag" dump "$target" >"$work/dump" || fail "Go: exit status $?"
        [ "$flags" ] && wanted='waiting\+0x' || wanted='runtime[./]|waiting\+0x'
        grep '  #' "$work/dump" | grep -Ev " ($wanted)" && fail "Go $flags: not its own names"
        grep -Eq "#0 +($wanted)" "$work/dump" || fail "Go $flags: nothing is said: $(cat "$work/dump")"
        gone
    done
fi
if command -v node >/dev/null; then
    name=node threads=6
    target node -e 'setTimeout(() => {}, 1e6)'
    "$snag" dump "$target" >"$work/dump" || fail "node: exit status $?"
    grep -q 'epoll_pwait' "$work/dump" && grep -q 'uv__io_poll\|node+0x' "$work/dump" || fail "node: $(head -n 20 "$work/dump")"
    gone
fi
exit "$failed"
