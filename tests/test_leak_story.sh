#!/usr/bin/env bash
# test_leak_story.sh runs every command of docs/leak-story.md, in order, and
# holds what they print against what the story tells.
set -u
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || { echo "skipped: a sanitizer build"; exit 77; }
. "$SNAG_SOURCE/tests/support/service.sh"
unset SNAG_LISTEN SNAG_WATCH_PERIOD LD_PRELOAD
command -v go >/dev/null || skip "no go here"

# As if by examples/demo, on a port of our own.
mkdir "$work/build"
ln -s "$SNAG_BUILD" "$work/build/demo"
ln -s "$SNAG_SOURCE/examples" "$work/examples"
port_of_ours=$((20000 + RANDOM % 20000))
awk -v dir="$work" '
    /^```sh$/ { inside = 1; n++; next }
    /^```$/ { if (inside) print "echo >>" dir "/done" ; inside = 0; next }
    inside { print }
    /^## / { print "exec >" dir "/part" ++part " 2>&1" }
' "$SNAG_SOURCE/docs/leak-story.md" | sed "s/6060/$port_of_ours/g" >"$work/story.sh"
[ "$(grep -c '^exec' "$work/story.sh")" = 4 ] || fail "the story has not four parts"
(cd "$work" && PPROF_TMPDIR=$work exec timeout 280 bash story.sh) >"$work/out" 2>&1 || fail "the story ends badly: $(tail -n 3 "$work"/part? "$work/out")"
[ "$(wc -l <"$work/done")" = "$(grep -c '^```sh$' "$SNAG_SOURCE/docs/leak-story.md")" ] || fail "not every block was run"

says() { grep -qE -- "$2" "$work/part$1" || { cat "$work/part$1"; fail "part $1: no line like '$2'"; }; }
silent() { ! grep -qE -- "$2" "$work/part$1" || { cat "$work/part$1"; fail "part $1: a line like '$2'"; }; }

says 1 '^snag: [0-9,]+ threads \(\+[0-9]+\), [0-9,]+ of [0-9,]+ descriptors'
says 1 '^snag: threads in [a-z_]+\(\) in http\.c:[0-9]+: [0-9]+, grown from [0-9]+ to [0-9]+ in .*: a leak, as '
says 1 '^1\. [0-9]+ threads have been in recv(from)?\(\) for up to .* on tcp 127\.0\.0\.1:[0-9]+ ESTABLISHED'
says 1 '^[0-9]+\. [0-9]+ sockets to 127\.0\.0\.1:[0-9]+ are in CLOSE_WAIT: the peer has closed and this process has not'
says 1 'refresh_prices at .*/leaky_client\.c:24$'
says 1 ' refresh_prices$'
says 2 '^snag: 30 leaks: 10 threads, 20 descriptors$'
says 2 'refresh_prices at .*/leaky_client\.c:24$'
says 2 'tcp CLOSE_WAIT'
says 2 '^exit status 1$'
says 3 "leaky_client\\.c:24: warning: 'response' from http_own\\(\\) is not released on this path \\[snag-leak\\]\$"
says 3 "leaky_client\\.c:39: warning: 'response' from http_own\\(\\) is not released on this path \\[snag-leak\\]\$"
[ "$(grep -c warning "$work/part3")" = 2 ] || { cat "$work/part3"; fail "part 3: not two findings"; }
says 4 '^leak check: exit status 0$'
says 4 '^static check: exit status 0$'
silent 4 'warning|leaks?:'
exit $failed
