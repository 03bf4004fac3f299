#!/usr/bin/env bash
# test_symbols.sh proves that linking snag brings a service nothing but snag_*:
# libsnag exports only that and needs only the C library, the engine exports
# one symbol, a program with the static library defines nothing of the unwinder's or
# the event library's, and no library of ours has text relocations or an
# executable stack.
set -u
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || { echo "skipped: a sanitizer build"; exit 77; }
library=$SNAG_BUILD/src/libsnag.so
engine=$SNAG_BUILD/src/libsnag-engine.so
archive=$SNAG_BUILD/src/libsnag.a
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

failed=0
fail()
{
    echo "FAILED: $*"
    failed=1
}

# exports FILE: the names of its defined dynamic symbols, sorted.
exports()
{
    nm -D --defined-only --format=posix "$1" | awk '$2 != "A" { print $1 }' | sort -u
}

# Every function that the headers declare, the door for our other libraries (src/api/inside.h),
# where readers from outside begin (*/layout.h, base/own_threads.h), and no other.
declared=$({
    grep -o '^SNAG_API [^;]*(' "$SNAG_SOURCE"/include/snag/*.h "$SNAG_SOURCE"/include/snag/*/*.h \
        "$SNAG_SOURCE/src/api/inside.h" -h | sed 's/.*[ *]\(snag_[a-z_]*\)($/\1/'
    sed -n 's/^#define [A-Z]*_ROOT_SYMBOL "\(.*\)"$/\1/p' "$SNAG_SOURCE"/src/{handles,labels}/layout.h
    sed -n 's/^#define OWN_THREADS_SYMBOL "\(.*\)"$/\1/p' "$SNAG_SOURCE/src/base/own_threads.h"
} | LC_ALL=C sort -u)
[ "$(wc -w <<<"$declared")" -ge 4 ] || fail "the header's functions were not found: $declared"
[ "$(exports "$library")" = "$declared" ] ||
    fail "libsnag exports: $(exports "$library" | tr '\n' ' '), declared: $(tr '\n' ' ' <<<"$declared")"
[ "$(exports "$engine")" = snag_engine ] ||
    fail "the engine exports: $(exports "$engine" | tr '\n' ' ')"

# entries FILE TAG: the values of a tag of its dynamic section.
entries()
{
    readelf -dW "$1" | sed -n "s/.*($2).*\[\(.*\)\]/\1/p"
}

[ "$(entries "$library" SONAME)" = libsnag.so.0 ] || fail "soname $(entries "$library" SONAME)"
[ "$(entries "$engine" SONAME)" = libsnag-engine.so.0 ] || fail "soname $(entries "$engine" SONAME)"
for needed in $(entries "$library" NEEDED); do
    case $needed in
    libc.so.6 | ld-linux-*) ;;
    *) fail "libsnag needs $needed" ;;
    esac
done

cat >"$work/program.c" <<'END'
#include <snag/snag.h>
#include <stdlib.h>
int main(void)
{
    return snag_start(NULL) || snag_write("threads", 1, 0) || (snag_stop(), snag_address() != NULL);
}
END
cc -I"$SNAG_SOURCE/include" -o "$work/program" "$work/program.c" "$archive" -pthread -ldl ||
    fail "a program with the static library does not link"
foreign='_Unwind_|_?unw_|_U|backtrace|event_|evhttp_|evbuffer_|dwfl_|dwarf_|protobuf_c_|perftools|inflate|deflate|dl_iterate_phdr'
nm --defined-only --format=posix "$work/program" | awk '{ print $1 }' >"$work/defined"
grep -q '^snag_start$' "$work/defined" || fail "the program does not contain snag_start"
grep -E "^($foreign)" "$work/defined" && fail "the program defines the names above"
for needed in $(entries "$work/program" NEEDED); do
    [ "$needed" = libc.so.6 ] || fail "the program needs $needed"
done

for file in "$library" "$engine" "$work/program"; do
    readelf -dW "$file" | grep -qE 'TEXTREL' && fail "$file has text relocations"
    stack=$(readelf -lW "$file" | awk '$1 == "GNU_STACK" { print $7 }')
    [ "$stack" = RW ] || fail "$file: its stack segment is '$stack'"
done

# A plug-in that brought it may be unloaded, while the listener's thread runs in it.
readelf -dW "$library" | grep -q 'FLAGS_1.*NODELETE' || fail "libsnag can be unloaded"

[ "$failed" = 0 ] && echo "exported: $(tr '\n' ' ' <<<"$declared")"
exit "$failed"
