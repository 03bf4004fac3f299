#!/usr/bin/env bash
# `snag check` against functions of which each says what is right or wrong with it, beside
# what gcc's analyzer, clang's and cppcheck find in the same files by themselves.
#
# A wrong function counts as found when there is a finding of the wanted kind within five lines of the wanted
# one. A right function with any finding is a false alarm.
set -u
. "$SNAG_SOURCE/tests/check/score.sh"

command -v clang >/dev/null && command -v cppcheck >/dev/null || { echo "no analyzers: skipped"; exit 77; }
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
corpus=$SNAG_SOURCE/tests/check
snag=$SNAG_BUILD/src/snag

score_database "$corpus" "$directory" >"$directory/compile_commands.json"
score_expected "$corpus"/*.c >"$directory/expected"

status=0
timeout 300 "$snag" check -p "$directory" >"$directory/snag" 2>"$directory/messages" || status=$?
cat "$directory/messages"
[ "$status" = 1 ] || { echo "snag check: exit status $status, not 1"; exit 1; }
score_others "$corpus" "$directory"

score_table "$directory/expected" "$directory"/{snag,gcc,clang,cppcheck}
score_judge "$directory/expected" "$directory/snag" 90 2
