# dump_rows.sh: `snag dump` beside gdb and eu-stack on the same process, for bench/run, which reads
# this file and has the functions used here. Whole commands, started anew each time, in turn; what
# they print is thrown away. First 1,000 blocked threads, then a redis-server with threads for input
# and output, where starting is most of what any of them does.

dump_peers() { # WHAT
    local ours=() written=() debugger=() stack=() peer
    for ((i = 0; i < rounds; i++)); do
        ours+=("$(wall_ms "$build/src/snag" dump "$pid")")
        command -v gdb >/dev/null && debugger+=("$(wall_ms gdb -p "$pid" -batch -ex 'thread apply all bt')")
        written+=("$(wall_ms "$build/src/snag" dump "$pid" -o "$dumped")")
        command -v eu-stack >/dev/null && stack+=("$(wall_ms eu-stack -p "$pid")")
    done
    local o w g e
    o=$(median_of "${ours[@]}") w=$(median_of "${written[@]}")
    g=$(median_of "${debugger[@]:-nan}") e=$(median_of "${stack[@]:-nan}")
    for peer in "gdb $g" "eu-stack $e"; do
        row "snag dump, $1, than ${peer% *}" "$o ms, ${peer% *} ${peer#* } ms" "$(ratio "${peer#* }" "$o")x" \
            "$2" "$([ "$2" ] && met "$(ratio "${peer#* }" "$o")" '>=' 20)"
    done
    row "  as a profile (-o), of the same" "$w ms" "$(ratio "$g" "$w")x" "" ""
}

dumped=$(mktemp "${TMPDIR:-/tmp}/snag-bench-XXXXXX")
begin "$bin/blocked_service" 1000
interrupted >/dev/null
for ((i = 0; i < 20; i++)); do "$build/src/snag" dump "$pid" >"$dumped" || echo "a dump failed" >&2; done
ours=$(interrupted)
dump_peers "1,000 threads" ">= 20x"
row "  calls interrupted (EINTR) by 20 dumps" "gdb, eu-stack: $(interrupted)" "$ours" "0" "$(met "$ours" '<=' 0)"
finish

if command -v redis-server >/dev/null; then
    redis-server --port 0 --unixsocket "$dumped.socket" --save '' --io-threads 4 >/dev/null 2>&1 &
    pid=$!
    for ((i = 0; i < 100; i++)); do
        [ "$(ls "/proc/$pid/task" 2>/dev/null | wc -l)" -ge 7 ] && break
        sleep 0.05
    done
    dump_peers "redis-server" ""
    kill "$pid"
    wait "$pid" 2>/dev/null
fi
rm -f "$dumped" "$dumped.socket"
