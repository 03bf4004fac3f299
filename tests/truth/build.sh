#!/usr/bin/env bash
# build.sh: one program of this folder in one build. For the tests beside it.
#   build.sh OUTPUT PROGRAM COMPILER "FLAGS" ["LINK FLAGS"]
# COMPILER is gcc or clang; PROGRAM blockers, spinners, honest or here. Does nothing when
# OUTPUT is newer than every source. Uses SNAG_BUILD and SNAG_SOURCE.
set -eu
output=$1 program=$2 compiler=$3 flags=$4 link=${5:-}
source=$SNAG_SOURCE/tests/truth
support=$SNAG_SOURCE/tests/support
case $compiler in gcc) cxx=g++ ;; clang) cxx=clang++ ;; *) exit 2 ;; esac

newest=$(ls -t "$source"/*.c "$source"/*.cc "$source"/*.h "$support"/*.[ch] "$source/build.sh" | head -1)
[ "$output" -nt "$newest" ] && exit 0

objects=$output.objects
mkdir -p "$objects"
common="$flags -g -pthread -D_GNU_SOURCE -I$SNAG_SOURCE/include -I$support"
sources="truth compare"
case $program in blockers | here) sources="$sources outside ways_io ways_locks ways_signals ways_frames" ;; esac
for name in $program $sources; do
    # shellcheck disable=SC2086 # flags are words
    $compiler -std=c11 $common -c "$source/$name.c" -o "$objects/$name.o"
done
for name in dump_text http_get; do
    # shellcheck disable=SC2086
    $compiler -std=c11 $common -c "$support/$name.c" -o "$objects/$name.o"
done
# shellcheck disable=SC2086
case $program in blockers | here) $cxx -std=c++17 $common -c "$source/ways_cpp.cc" -o "$objects/ways_cpp.o" ;; esac

case $link in
*-static*) library="$SNAG_BUILD/src/libsnag.a -ldl" ;;
*) library="-L$SNAG_BUILD/src -lsnag -Wl,-rpath,$SNAG_BUILD/src" ;;
esac
# shellcheck disable=SC2086
$cxx $flags -pthread "$objects"/*.o -o "$output" $link $library
rm -rf "$objects"
