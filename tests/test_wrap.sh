#!/usr/bin/env bash
# test_wrap.sh proves of each header in snag/wrap that every call that makes a handle counts it,
# every call that ends one counts it down, and the stack of what is live begins with the function
# that called, also where that call is its last act: in C and C++, by gcc and clang, at -O0 and
# -O2. And that each header can be included alone, with nothing but the standard asked for.
set -u
. "$SNAG_SOURCE/tests/support/service.sh"
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || skip "the programs are built without the sanitizer"
wraps=$SNAG_SOURCE/tests/wraps
library=$SNAG_BUILD/src
strict="-Wall -Wextra -Wpedantic -Wshadow -Werror -I$SNAG_SOURCE/include"

# libraries_of HEADER: what a program that includes it links, or nothing and 1 where that is not installed.
libraries_of()
{
    case $1 in
    curl) pkg-config --silence-errors --libs libcurl ;;
    event) pkg-config --silence-errors --libs libevent ;;
    *) echo -pthread ;;
    esac
}

# languages: COMPILER LANGUAGE STANDARD, of what is installed
languages()
{
    local compiler
    for compiler in gcc clang; do command -v $compiler >/dev/null && echo "$compiler c c11"; done
    for compiler in g++ clang++; do command -v $compiler >/dev/null && echo "$compiler c++ c++17"; done
}

# check HEADER COMPILER LANGUAGE STANDARD
check()
{
    local level program=$work/$1 name="$1, $2 -std=$4"
    # shellcheck disable=SC2046,SC2086  # the flags are words
    for level in -O0 -O2; do
        $2 -std=$4 $level -g -D_GNU_SOURCE $strict -x $3 "$wraps/$1.c" -x none -o "$program" \
            -L"$library" -lsnag -Wl,-rpath,"$library" $(libraries_of $1) >"$work/log" 2>&1 ||
            { cat "$work/log"; fail "$name $level does not compile"; continue; }
        timeout 60 "$program" >"$work/log" 2>&1 ||
            { head -n 40 "$work/log"; fail "$name $level: exit status $?"; }
    done
    echo "#include <snag/wrap/$1.h>" >"$work/alone"
    # shellcheck disable=SC2086
    $2 -std=$4 $strict -fsyntax-only -x $3 "$work/alone" >"$work/log" 2>&1 ||
        { head -n 20 "$work/log"; fail "$name: the header alone does not compile"; }
}

unset SNAG_LISTEN
checked=0
while read -r compiler language standard; do
    for header in stdio dirent pthread curl event; do
        libraries_of $header >/dev/null || { echo "left out: $header is not installed"; continue; }
        check $header "$compiler" "$language" "$standard"
        checked=$((checked + 1))
    done
done < <(languages)
[ "$checked" -ge 6 ] || fail "only $checked were checked"
echo "$checked checked"
exit "$failed"
