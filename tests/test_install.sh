#!/usr/bin/env bash
# test_install.sh proves that an outside project can use an installation whose
# prefix was chosen at install time: by find_package and by pkg-config, in C
# and in C++, with the shared and with the static library; that each such
# program finds the engine; and that the header is clean in every language.
set -u
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || { echo "skipped: a sanitizer build is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
consumer=$SNAG_SOURCE/tests/consumer
unset SNAG_LISTEN SNAG_TOKEN SNAG_SIGNAL LD_LIBRARY_PATH CPATH LIBRARY_PATH

failed=0
fail()
{
    echo "FAILED: $*"
    failed=1
}

# quietly COMMAND...: its output only when it fails.
quietly()
{
    "$@" >"$work/log" 2>&1 && return 0
    cat "$work/log"
    return 1
}

# runs PROGRAM: starts, listens, and writes a profile that is a gzip file.
runs()
{
    rm -f "$work/profile"
    quietly timeout 60 "$1" "$work/profile" || { fail "$1 does not run"; return; }
    [ -s "$work/profile" ] && gzip -t "$work/profile" || fail "$1: no gzip'd profile"
    [ "$(gzip -dc "$work/profile" | wc -c)" -gt 200 ] || fail "$1: the profile is empty"
    echo "runs: ${1#"$work"/}"
}

quietly cmake --install "$SNAG_BUILD" --prefix "$prefix" || { fail "cmake --install"; exit 1; }
grep -rlF "$SNAG_BUILD" "$prefix" --include='*.cmake' --include='*.pc' --include='*.h' &&
    fail "an installed file names the build directory"

quietly cmake -S "$consumer" -B "$work/cmake" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" &&
    quietly cmake --build "$work/cmake" || fail "find_package(snag)"
for program in shared_c shared_cc static_c static_cc; do
    runs "$work/cmake/$program"
done

export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name snag.pc)")
library_path=$(pkg-config --variable=libdir snag)
[ "$(pkg-config --modversion snag)" = 0.1.0 ] || fail "pkg-config --modversion"
static_libs=$(pkg-config --static --libs snag | sed 's/-lsnag\b/-l:libsnag.a/')
mkdir "$work/pc"
# shellcheck disable=SC2046,SC2086  # the flags are words
{
    quietly cc -std=c11 -D_GNU_SOURCE $(pkg-config --cflags snag) -o "$work/pc/shared_c" \
        "$consumer/consumer.c" $(pkg-config --libs snag) || fail "pkg-config, C"
    quietly c++ -std=c++17 $(pkg-config --cflags snag) -o "$work/pc/shared_cc" \
        "$consumer/consumer.cc" $(pkg-config --libs snag) || fail "pkg-config, C++"
    quietly cc -std=c11 -D_GNU_SOURCE $(pkg-config --cflags snag) -o "$work/pc/static_c" \
        "$consumer/consumer.c" $static_libs || fail "pkg-config --static"
}
for program in shared_c shared_cc; do
    LD_LIBRARY_PATH=$library_path runs "$work/pc/$program"
done
runs "$work/pc/static_c"

# A moved installation is as good as one made there.
mv "$prefix" "$work/moved"
quietly cmake -S "$consumer" -B "$work/again" -G Ninja -DCMAKE_PREFIX_PATH="$work/moved" &&
    quietly cmake --build "$work/again" --target static_c shared_c || fail "a moved installation"
runs "$work/again/static_c"
runs "$work/again/shared_c"

echo '#include <snag/snag.h>' >"$work/header.c"
cp "$work/header.c" "$work/header.cc"
strict="-Wall -Wextra -Wpedantic -Wconversion -Werror -fsyntax-only -I$work/moved/include"
for compiler in gcc clang; do
    command -v $compiler >/dev/null || continue
    for standard in c99 c11 c17; do
        $compiler -std=$standard $strict -Wstrict-prototypes "$work/header.c" || fail "$compiler $standard"
    done
done
for compiler in g++ clang++; do
    command -v $compiler >/dev/null || continue
    for standard in c++11 c++17 c++20; do
        $compiler -std=$standard $strict "$work/header.cc" || fail "$compiler $standard"
    done
done
exit "$failed"
