# score.sh: findings held against what the functions of a corpus say of themselves.
#
# Before each function stands a line "/* right: ... */" or "/* wrong: ... */"; in a wrong one the line where
# it goes wrong ends in "/* want: KIND */". A function reaches to the next such line.

# CORPUS DIRECTORY: a compilation database.
score_database()
{
    local separator='' file
    echo '['
    for file in "$1"/*.c; do
        printf '%s{"directory":"%s","file":"%s","command":"cc -std=gnu11 -I%s/include -D_GNU_SOURCE -c %s"}\n' \
            "$separator" "$2" "$file" "$SNAG_SOURCE" "$file"
        separator=','
    done
    echo ']'
}

# FILE...: "FILE FIRST LAST right|wrong [LINE KIND]", a line for each function.
score_expected()
{
    awk '
    function flush() { if (what) print file, first, last, what, line, kind; what = "" }
    FNR == 1 { flush(); n = split(FILENAME, parts, "/"); file = parts[n] }
    /^\/\* (right|wrong): / { flush(); first = FNR; what = $2; sub(":", "", what); line = 0; kind = "-" }
    match($0, /want: [a-z-]+/) { line = FNR; kind = substr($0, RSTART + 6, RLENGTH - 6) }
    { last = FNR }
    END { flush() }' "$@"
}

# CORPUS DIRECTORY: what the others say by themselves, each as "FILE:LINE: warning: ...".
score_others()
{
    local file name
    for file in "$1"/*.c; do
        name=$(basename "$file")
        gcc -std=gnu11 -D_GNU_SOURCE -I"$SNAG_SOURCE/include" -fanalyzer -S -o /dev/null "$file" 2>&1 |
            grep -E 'Wanalyzer-(malloc-leak|file-leak|fd-leak|double|use-after-free|fd-double)'
    done >"$2/gcc"
    for file in "$1"/*.c; do
        clang --analyze --analyzer-output text -std=gnu11 -D_GNU_SOURCE -I"$SNAG_SOURCE/include" \
            -Xclang -analyzer-checker=unix,alpha.unix.Stream,alpha.unix.SimpleStream "$file" 2>&1 |
            grep -E 'warning: .*(leak|free|closed|Closed|never|release)'
    done >"$2/clang"
    cppcheck -q --library=posix --library=gnu --library=zlib --library=libcurl -D_GNU_SOURCE \
        -I"$SNAG_SOURCE/include" --template='{file}:{line}: warning: {id} {message}' "$1"/*.c 2>&1 |
        grep -iE 'leak|doubleFree|dealloc' >"$2/cppcheck"
}

# EXPECTED FINDINGS [any]: "found wrong false right". With "any" the kind does not matter.
score_count()
{
    awk -v any="${3:-}" '
    FNR == NR { n++; file[n] = $1; first[n] = $2; last[n] = $3; what[n] = $4; line[n] = $5; kind[n] = $6; next }
    /warning:/ {
        split($0, parts, ":"); m = split(parts[1], path, "/"); at = parts[2] + 0
        for (i = 1; i <= n; i++) {
            if (file[i] != path[m] || at < first[i] || at > last[i]) continue
            if (what[i] == "right") { wrongly[i] = 1; continue }
            if (any == "" && index($0, "[" kind[i] "]") == 0) continue
            if (at >= line[i] - 5 && at <= line[i] + 5) found[i] = 1
        }
    }
    END {
        for (i = 1; i <= n; i++) {
            if (what[i] == "right") { right++; alarms += wrongly[i] } else { wrong++; hits += found[i] }
            if (what[i] == "right" && wrongly[i]) print "false alarm: " file[i] ":" first[i] >"/dev/stderr"
            if (what[i] == "wrong" && !found[i]) print "not found: " file[i] ":" line[i] " " kind[i] >"/dev/stderr"
        }
        print hits + 0, wrong, alarms + 0, right
    }' "$1" "$2"
}

# EXPECTED FINDINGS...
score_table()
{
    local expected=$1 findings name hits wrong alarms right
    shift
    printf '%-12s %16s %18s\n' '' 'wrong: found' 'right: false alarm'
    for findings in "$@"; do
        name=$(basename "$findings")
        read -r hits wrong alarms right < <(score_count "$expected" "$findings" \
            "$([ "$name" = snag ] || echo any)" 2>/dev/null)
        [ "$name" = snag ] && name='snag check'
        printf '%-12s %5d/%-3d %4d %% %7d/%-3d %4d %%\n' "$name" "$hits" "$wrong" $((100 * hits / wrong)) \
            "$alarms" "$right" $((100 * alarms / right))
    done
}

# EXPECTED FINDINGS RECALL ALARMS: fails below that recall or above that share of false alarms, in percent.
score_judge()
{
    local hits wrong alarms right
    read -r hits wrong alarms right < <(score_count "$1" "$2")
    [ $((100 * hits)) -ge $(($3 * wrong)) ] && [ $((100 * alarms)) -le $(($4 * right)) ]
}
