#!/usr/bin/env bash
# test_waits_builds.sh proves that what a thread waits on, and every deadlock, is told whatever
# compiler and options made the program, and without debug symbols of the C library too.
set -u
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || { echo "skipped: a sanitizer build"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
tests=$SNAG_SOURCE/tests

# ways NAME COMMAND...: runs it, and shows what it says when that is not good.
ways()
{
    local name=$1
    shift
    if timeout 60 "$@" >"$work/out.txt" 2>&1; then
        echo "$name: good. $(tail -n 1 "$work/out.txt")"
    else
        echo "$name: exit status $?"
        cat "$work/out.txt"
        failed=1
    fi
}

# make NAME SOURCE...: by $compiler with $options
make()
{
    local name=$1
    shift
    # shellcheck disable=SC2086
    "$compiler" -std=c11 -D_GNU_SOURCE $options -I"$SNAG_SOURCE/include" -I"$tests/support" "$@" \
        "$tests/support/http_get.c" "$tests/support/waits_json.c" -o "$work/$name" \
        -L"$SNAG_BUILD/src" -Wl,-rpath,"$SNAG_BUILD/src" -lsnag -lcmocka -pthread || exit 1
}

# Where the C library's debug files are hidden from one process, by a mount of its own.
hidden=(unshare --mount sh -c 'mount -t tmpfs none /usr/lib/debug && exec "$0"')
[ "$(id -u)" = 0 ] || hidden=(unshare --mount --map-root-user "${hidden[@]:2}")
mkdir -p /usr/lib/debug 2>/dev/null
"${hidden[@]}" true 2>/dev/null || { echo "no mount of our own: debug files stay"; hidden=(); }

for compiler in gcc clang; do
    for options in "-O0" "-O2" "-O2 -fno-plt" "-O3 -fno-omit-frame-pointer -Wl,-z,lazy"; do
        make waits "$tests"/waits/*.c
        make deadlocks "$tests/test_deadlocks.c"
        ways "$compiler $options" "$work/waits"
        ways "$compiler $options" "$work/deadlocks"
        [ ${#hidden[@]} -gt 0 ] || continue
        ways "$compiler $options, no debug files" "${hidden[@]}" "$work/waits"
        ways "$compiler $options, no debug files" "${hidden[@]}" "$work/deadlocks"
    done
done
for compiler in g++ clang++; do
    for options in "-O0" "-O2"; do
        # shellcheck disable=SC2086
        "$compiler" -std=c++17 $options -I"$SNAG_SOURCE/include" "$tests/waits/waits.cc" \
            -o "$work/cpp" -L"$SNAG_BUILD/src" -Wl,-rpath,"$SNAG_BUILD/src" -lsnag -pthread || exit 1
        ways "$compiler $options" "$work/cpp"
        [ ${#hidden[@]} = 0 ] || ways "$compiler $options, no debug files" "${hidden[@]}" "$work/cpp"
    done
done
exit "$failed"
