#!/usr/bin/env bash
# test_hpp.sh proves that snag.hpp counts every object once, however it is copied and moved, under
# its type's name and by its constructor; that labels end with their scope and entries with their
# owner; without a warning by g++ and clang++, at -O0 and -O2, in C++17 and C++20, and without
# exceptions and RTTI.
set -u
. "$SNAG_SOURCE/tests/support/service.sh"
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || skip "the programs are built without the sanitizer"
unset SNAG_LISTEN
checked=0
for compiler in g++ clang++; do
    command -v $compiler >/dev/null || continue
    for flags in "-std=c++17 -O0" "-std=c++17 -O2" "-std=c++20 -O2" "-std=c++17 -O2 -fno-exceptions -fno-rtti"; do
        # shellcheck disable=SC2086  # the flags are words
        $compiler $flags -g -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror \
            -I"$SNAG_SOURCE/include" "$SNAG_SOURCE/tests/wraps/hpp.cc" -o "$work/hpp" \
            -L"$SNAG_BUILD/src" -lsnag -pthread -Wl,-rpath,"$SNAG_BUILD/src" >"$work/log" 2>&1 ||
            { head -n 40 "$work/log"; fail "$compiler $flags does not compile"; continue; }
        timeout 60 "$work/hpp" >"$work/log" 2>&1 ||
            { head -n 40 "$work/log"; fail "$compiler $flags: exit status $?"; }
        # shellcheck disable=SC2086
        $compiler $flags -D_GNU_SOURCE -shared -fPIC -I"$SNAG_SOURCE/include" \
            "$SNAG_SOURCE/tests/wraps/hpp.cc" -o "$work/hpp.so" || fail "$compiler $flags -shared"
        nm -DC "$work/hpp.so" | grep ' u .*snag' &&
            fail "$compiler $flags: a symbol that keeps its library from being unloaded"
        checked=$((checked + 1))
    done
done
[ "$checked" -ge 4 ] || fail "only $checked were checked"
echo "$checked checked"
exit "$failed"
