# handles_rows.sh: inventories of live handles beside Go's custom profiles, for
# bench/run, which reads this file and has the functions used here. Ours and Go's take turns.

field() { awk -v n="$1" '{ for (i = 1; i < NF; i++) if ($i == n) print $(i + 1) }' <<<"$2"; }

# Sets ours, two (of our threads at once), framed (the program built with frame pointers) and go to
# ns a pair, the least of many short rounds.
measure_pairs() { # live stacks
    local a=() b=() c=() d=()
    for ((i = 0; i < rounds; i++)); do
        a+=("$(field least "$("$bin/handles_pairs" "$@" 1)")")
        b+=("$(field least "$("$bin/handles_pairs" "$@" 2)")")
        c+=("$(field least "$("$bin/handles_pairs_framed" "$@" 1)")")
        [ -x "$bin/handles" ] && d+=("$(field least "$("$bin/handles" pairs "$@" 1)")")
    done
    ours=$(median_of "${a[@]}") two=$(median_of "${b[@]}")
    framed=$(median_of "${c[@]}") go=$(median_of "${d[@]:-nan}")
}

for stacks in 1 1000; do
    from="$stacks stacks"
    [ "$stacks" = 1 ] && from="one stack"
    for live in 0 10000 1000000; do
        measure_pairs "$live" "$stacks"
        r=$(ratio "$go" "$ours")
        row "add+remove, $live live, $from, than Go" "$ours ns, Go $go ns" "${r}x" ">= 5x" "$(met "$r" '>=' 5)"
        r=$(ratio "$go" "$framed")
        row "  built with frame pointers" "$framed ns" "${r}x" ">= 12x" "$(met "$r" '>=' 12)"
        r=$(awk -v a="$ours" -v b="$two" 'BEGIN { printf "%.2f", 2 * a / b }')
        row "  two threads, than one" "$two ns each" "${r}x" ">= 1.8x" "$(met "$r" '>=' 1.8)"
    done
done

first=() again=() go_first=() go_again=()
for ((i = 0; i < rounds; i++)); do
    begin "$bin/handles_service" 1000000 1000
    first+=("$("$bin/timed_get" "$address" /debug/pprof/bench | cut -d' ' -f1)")
    again+=("$("$bin/timed_get" "$address" /debug/pprof/bench "$repeats" | cut -d' ' -f1 | median)")
    bytes=$(interrupted)
    finish
    if [ -x "$bin/handles" ]; then
        begin "$bin/handles" serve 1000000 1000
        go_first+=("$("$bin/timed_get" "$address" /debug/pprof/bench | cut -d' ' -f1)")
        go_again+=("$("$bin/timed_get" "$address" /debug/pprof/bench 3 | cut -d' ' -f1 | median)")
        finish
    fi
done
f=$(median_of "${first[@]}") a=$(median_of "${again[@]}")
gf=$(median_of "${go_first[@]:-nan}") ga=$(median_of "${go_again[@]:-nan}")
r=$(ratio "$gf" "$f")
row "1 M handles, 1,000 stacks, first dump, than Go" "$f ms, Go $gf ms" "${r}x" ">= 100x" "$(met "$r" '>=' 100)"
r=$(ratio "$ga" "$a")
row "  a dump again, than Go's" "$a ms, Go $ga ms" "${r}x" ">= 100x" "$(met "$r" '>=' 100)"
row "memory a handle, of 1 M" "" "$bytes B" "<= 48 B" "$(met "$bytes" '<=' 48)"
begin "$bin/handles_service" 10000000 1000
bytes=$(interrupted)
finish
row "memory a handle, of 10 M" "" "$bytes B" "<= 48 B" "$(met "$bytes" '<=' 48)"
