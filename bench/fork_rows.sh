# fork_rows.sh: what a child of fork costs under `snag run`, for bench/run, which reads this file and
# has the functions used here. Processor time of parent and child. A part of it is the kernel's, which
# copies what is mapped; "beyond" is the rest, which is snag's and the C library's (it does more at a
# fork where there is a thread).

fork_ways() { # WAY
    local alone=() with=() each=() kernel=() kernel_with=()
    for ((i = 0; i < rounds; i++)); do
        alone+=("$("$bin/fork_cost" "$forks" "$1")")
        with+=("$("$build/src/snag" run --listen 127.0.0.1:0 "$bin/fork_cost" "$forks" "$1" 2>/dev/null)")
        each+=("$("$build/src/snag" run --children --listen 127.0.0.1:0 "$bin/fork_cost" "$forks" "$1" 2>/dev/null)")
        kernel+=("$("$bin/fork_cost" "$forks" kernel)")
        kernel_with+=("$("$build/src/snag" run --listen 127.0.0.1:0 "$bin/fork_cost" "$forks" kernel 2>/dev/null)")
    done
    local a w e k kw beyond
    a=$(median_of "${alone[@]}") w=$(median_of "${with[@]}") e=$(median_of "${each[@]}")
    k=$(median_of "${kernel[@]}") kw=$(median_of "${kernel_with[@]}")
    beyond=$(awk -v a="$a" -v w="$w" -v k="$k" -v kw="$kw" 'BEGIN { printf "%.0f", w - a - (kw - k) }')
    row "fork and $1, snag run, of without" "$w us, without $a us" "$(ratio "$w" "$a")x" "" ""
    row "  beyond the copying of mappings ($kw, $k us)" "" "$beyond us" \
        "$([ "$1" = exit ] || echo '<= 50 us')" "$([ "$1" = exit ] || met "$beyond" '<=' 50)"
    row "  with --children, ended before its listener starts" "$e us" "$(ratio "$e" "$a")x" "" ""
}

forks=$((quick ? 30 : 100))
fork_ways _exit
fork_ways exit
