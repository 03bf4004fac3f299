#!/usr/bin/env bash
# test_valgrind.sh proves that starting, using and stopping snag, in a process
# and in its child, reads nothing it should not and loses no memory.
set -u
command -v valgrind >/dev/null || { echo "skipped: no valgrind"; exit 77; }
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || { echo "skipped: a sanitizer build"; exit 77; }
valgrind --quiet --trace-children=no --leak-check=full --errors-for-leak-kinds=definite \
    --show-leak-kinds=definite --error-exitcode=9 "$SNAG_BUILD/tests/programs/lifecycle" 3
