#!/usr/bin/env bash
# test_compiles_for_aarch64.sh proves that every source file compiles for
# aarch64 without a warning, where the cross compiler is installed (77: it is
# not). Headers of the libraries are the host's: only their declarations are
# used, nothing is linked.
set -u
compiler=aarch64-linux-gnu-gcc
command -v "$compiler" >/dev/null || { echo "skipped: no $compiler"; exit 77; }
cd "$SNAG_SOURCE" || exit 1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/include" "$work/generated"
for library in event2 evhttp.h evdns.h event.h elfutils protobuf-c google zlib.h zconf.h libelf.h gelf.h dwarf.h \
    libunwind.h libunwind-aarch64.h libunwind-common.h libunwind-dynamic.h lzma lzma.h demangle.h libiberty json-c; do
    for place in /usr/include /usr/include/x86_64-linux-gnu; do
        [ -e "$place/$library" ] && mkdir -p "$work/include" && cp -rn "$place/$library" "$work/include/"
    done
done
[ -d /usr/include/x86_64-linux-gnu/event2 ] &&
    cp -rn /usr/include/x86_64-linux-gnu/event2/. "$work/include/event2/"
cp "$SNAG_BUILD"/src/generated/*.h "$work/generated/"
sh cmake/syscall-names.sh "$compiler" "$work/generated/syscall_names.inc" || exit 1

failed=0
for file in src/*/*.c; do
    "$compiler" -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wstrict-prototypes \
        -Wmissing-prototypes -Werror -fsyntax-only -Isrc -Iinclude -isystem "$work/include" \
        -isystem "$work/generated" -DSNAG_ENGINE_NAME='"engine"' -DSNAG_ENGINE_DIRECTORY='"/lib"' \
        -DSNAG_LIBRARY_DIRECTORY='"/lib"' \
        "$file" || { echo "does not compile for aarch64: $file"; failed=1; }
done
[ "$failed" = 0 ] && echo "all of src compiles for aarch64"
exit "$failed"
