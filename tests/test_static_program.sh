#!/usr/bin/env bash
# test_static_program.sh proves that a statically linked program, whose C
# library cannot load the engine in a namespace of its own, is told so or
# served, and never killed.
set -u
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || { echo "skipped: a sanitizer build"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
for flags in "-static" "-static-pie"; do
    # shellcheck disable=SC2086
    gcc -std=c11 $flags -o "$work/minimal" "$SNAG_SOURCE/tests/programs/minimal.c" \
        -I"$SNAG_SOURCE/include" "$SNAG_BUILD/src/libsnag.a" -pthread -ldl >"$work/build.txt" 2>&1 ||
        { echo "skipped: no static C library"; exit 77; }
    for path in "" "$SNAG_BUILD/src"; do
        LD_LIBRARY_PATH=$path timeout 20 "$work/minimal" >"$work/out.txt" 2>"$work/err.txt"
        status=$?
        case $status in
        0) grep -q ' main' "$work/out.txt" || { echo "$flags: a dump without main:"; cat "$work/out.txt"; failed=1; } ;;
        3) grep -q '^snag: ' "$work/err.txt" || { echo "$flags: refused without a word"; failed=1; } ;;
        *) echo "$flags, LD_LIBRARY_PATH=$path: exit status $status"; failed=1 ;;
        esac
    done
done
exit "$failed"
