# fds_rows.sh: 10,000 descriptors listed, beside lsof, for bench/run, which reads
# this file and has the functions used here. One service for each sort, asked by
# both in turn; lsof with its defaults, and with -nP, which leaves the names of hosts and ports
# out and so does what we do.

for sort in files tcp unix mixed; do
    listed=() detailed=() named=() numeric=()
    begin "$bin/fds_service" "$sort" 10000
    for ((i = 0; i < rounds; i++)); do
        listed+=("$("$bin/timed_get" "$address" /debug/fds "$repeats" | cut -d' ' -f1 | median)")
        detailed+=("$("$bin/timed_get" "$address" '/debug/pprof/fds?debug=2' | cut -d' ' -f1)")
        command -v lsof >/dev/null || continue
        named+=("$(wall_ms lsof -p "$pid")")
        numeric+=("$(wall_ms lsof -nP -p "$pid")")
    done
    finish
    l=$(median_of "${listed[@]}") d=$(median_of "${detailed[@]}")
    p=$(median_of "${named[@]:-nan}") n=$(median_of "${numeric[@]:-nan}")
    r=$(ratio "$p" "$l")
    row "10,000 descriptors ($sort), than lsof" "$l ms, lsof $p ms, lsof -nP $n ms" "${r}x" ">= 10x" "$(met "$r" '>=' 10)"
    row "  with every detail (debug=2), of the same" "$d ms" "$(ratio "$p" "$d")x" "" ""
done
