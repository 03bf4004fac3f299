# support.sh: what the tests of real services share. Sourced.
#
# Each test says how its service is started (command), when it serves (ready),
# what its load is (a function that fails when a reply is wrong), and what must
# be seen in it. Here is what is the same for all: the service alone first, for
# the exit status and the log it has by itself; then under `snag run`, dumped
# ten times a second while its load runs; then held against procfs, against
# `snag dump` from outside and against what pprof reads.
#
# Nothing here waits for a time to pass: conditions are waited for, generously.
. "$SNAG_SOURCE/tests/support/service.sh"
folder=$SNAG_SOURCE/tests/services
rounds=25     # dumps under load, ten a second
ending=TERM   # what the service is ended by
other_user=() # how to become the user that the service runs as, where it must be another
addresses=()  # where to dump, in turn; by default the one of the service
sockets=$work/sockets # for those with several processes: where each has its own, whoever it runs as
chmod 755 "$work"
mkdir -m 1777 "$sockets"

[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || skip "a sanitizer build"
for command in curl go python3; do
    [ -x "$(PATH=/usr/bin:/bin:$PATH command -v $command)" ] || skip "no $command"
done

# As installed, where every user may read it. An installation writes files into the build folder,
# and other tests may be at it at the same moment.
install_snag() { flock "$SNAG_BUILD" cmake --install "$SNAG_BUILD" --prefix "$work/snag" >"$work/install.log" 2>&1; }
install_snag || { sleep 1; install_snag; } || { sleep 1; install_snag; } ||
    { fail "cmake --install: $(grep -m 1 -i error "$work/install.log")"; exit 1; }
snag=$work/snag/bin/snag

need()
{
    local program
    for program; do
        command -v "$program" >/dev/null || skip "no $program"
    done
}

answers_on_port() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }
ready() { until_true answers_on_port; }

# The service without snag: its exit status and what it logs by itself.
run_alone()
{
    timeout 120 "${other_user[@]}" "${command[@]}" >"$work/alone.log" 2>&1 </dev/null &
    local runner=$!
    services+=("$runner")
    ready || { fail "${command[0]} does not serve without snag: $(tail -n 3 "$work/alone.log")"; exit 1; }
    process=$(cat "/proc/$runner/task/$runner/children")
    kill -"$ending" "${process%% *}"
    wait "$runner"
    alone_status=$?
    services=()
}

# run_with_snag [OPTION...]: the same with snag in it.
run_with_snag()
{
    [ $# -gt 0 ] || set -- --listen 127.0.0.1:0
    service with "${other_user[@]}" "$snag" run "$@" "${command[@]}"
    runner=${services[-1]}
    ready || { fail "${command[0]} does not serve with snag: $(tail -n 3 "$work/with.log")"; exit 1; }
    addresses=("$address")
}

# ask PATH [OPTION...]: a page of the listener at $address.
ask()
{
    case $address in
    unix:*) get --unix-socket "${address#unix:}" "http://localhost$1" "${@:2}" ;;
    *) get "http://$address$1" "${@:2}" ;;
    esac
}

# One dump of everything at $address, into FILES.*, by one client.
dump_once()
{
    local to=$1 base=http://$address from=()
    [[ $address != unix:* ]] || { base=http://localhost from=(--unix-socket "${address#unix:}"); }
    curl -sS --noproxy '*' --fail --fail-early --max-time 60 "${from[@]}" \
        "$base/debug/pprof/threads" -o "$to.threads.pb.gz" "$base/debug/pprof/fds" -o "$to.fds.pb.gz" \
        "$base/debug/threads?format=json" -o "$to.threads" "$base/debug/stuck" -o "$to.stuck"
}

take_dumps()
{
    local i number
    for ((i = 0; i < rounds; i++)); do
        number=$((i % ${#addresses[@]}))
        address=${addresses[number]}
        dump_once "$work/dumps/$number/$i" 2>>"$work/dump.errors" || echo "dump $i of $address failed" >>"$work/dump.errors"
        sleep 0.1
    done
    touch "$work/enough"
}

# under_dumps LOAD: again and again, until all dumps were taken under it.
under_dumps()
{
    local times=0
    rm -rf "$work/enough" "$work/dumps" "$work/dump.errors"
    eval "mkdir -p $work/dumps/{0..$((${#addresses[@]} - 1))}"
    take_dumps &
    local dumper=$!
    until [ -e "$work/enough" ] || ! kill -0 "$dumper" 2>/dev/null; do
        "$1" || { fail "$1: a reply is wrong or missing: $(tail -n 3 "$work/load" 2>/dev/null)"; break; }
        times=$((times + 1))
    done
    wait "$dumper"
    [ -s "$work/dump.errors" ] && fail "$(wc -l <"$work/dump.errors") complaints of dumps: $(head -n 2 "$work/dump.errors")"
    [ "$(find "$work/dumps" -name '*.stuck' -size +0 | wc -l)" -eq "$rounds" ] || fail "not all dumps are there"
    [ "$times" -gt 0 ] || fail "$1 never ran to its end"
}

digest() { /usr/bin/python3 "$folder/digest.py" "$@" 2>"$work/digest.err"; }

# Which of $addresses is meant; * for all.
at='*'

# expect THREAD FUNCTION...: in every dump of the load there, threads of that name (a pattern) are there,
# and each whole stack of theirs has the functions, outermost first.
expect()
{
    local wrong
    wrong=$(digest expect "$@" -- "$work"/dumps/$at/*.threads) || fail "$wrong"
}

# seen FUNCTION: a thread was in it in one of the dumps of the load.
seen() { grep -q -- "\"function\": \"$1" "$work"/dumps/$at/*.threads || fail "no thread was ever seen in $1"; }

# A page's number N against the kernel's.
threads_in_procfs() { cat /proc/"$process"/task/*/comm 2>/dev/null | grep -cv '^snag'; }
fds_in_procfs() { find "/proc/$process/fd" -mindepth 1 2>/dev/null | wc -l; }
threads_told() { threads_now=$(ask '/debug/threads?format=json' | digest count); }
fds_told() { fds_now=$(ask '/debug/fds?format=json' | digest count); }
threads_agree() { threads_told && [ "$threads_now" = "$(threads_in_procfs)" ]; }
fds_agree() { fds_told && [ "$fds_now" = "$(fds_in_procfs)" ]; }

# check_counts LEAST: as many threads and descriptors as the kernel lists, and at least LEAST threads.
check_counts()
{
    until_true threads_agree || fail "$threads_now threads told, $(threads_in_procfs) in /proc/$process/task"
    until_true fds_agree || fail "$fds_now descriptors told, $(fds_in_procfs) in /proc/$process/fd"
    [ "${threads_now:-0}" -ge "$1" ] || fail "$threads_now threads, at least $1 expected"
}

# fd_is PATTERN [PAGE]: a descriptor's line (see digest.py) matches.
fd_is() { digest fds <"${2:-$work/fds}" | grep -qE -- "$1"; }

# check_listener OPENER: the service's port is listened on, and a function of that pattern opened it.
check_listener()
{
    ask '/debug/fds?format=json' -o "$work/fds" || fail "GET /debug/fds"
    fd_is "^[0-9]+ tcp LISTEN 127\.0\.0\.1:$port - .*($1)" ||
        fail "who listens on $port: $(digest fds <"$work/fds" | grep LISTEN)"
}

# The port that descriptor FD of this shell is connected from.
port_of()
{
    local inode
    inode=$(readlink "/proc/$$/fd/$1" | tr -dc 0-9)
    echo $((16#$(awk -v inode="$inode" '$10 == inode { split($2, at, ":"); print at[2] }' "/proc/$$/net/tcp")))
}

# check_connections [OPENER]: two connections of ours are seen with the right ends, and who took them.
connection_is_told()
{
    for address in "${addresses[@]}"; do
        ask '/debug/fds?format=json' -o "$work/fds" &&
            fd_is "^[0-9]+ tcp ESTABLISHED 127\.0\.0\.1:$port 127\.0\.0\.1:$1 .*($2)" && return
    done
    return 1
}
check_connections()
{
    local first second fd
    exec {first}<>"/dev/tcp/127.0.0.1/$port" {second}<>"/dev/tcp/127.0.0.1/$port"
    for fd in "$first" "$second"; do
        until_true connection_is_told "$(port_of "$fd")" "${1-}" ||
            fail "a connection from port $(port_of "$fd"): $(digest fds <"$work/fds" | grep tcp | head -n 5)"
    done
    exec {first}>&- {second}>&-
}

# look_at PROCESS: what is asked from here on is of that one, which listens at $sockets/PROCESS.
has_socket() { get --unix-socket "$sockets/$1" http://localhost/debug/vars -o /dev/null 2>/dev/null; }
look_at()
{
    until_true has_socket "$1" || fail "no listener in process $1: $(ls "$sockets")"
    process=$1 address=unix:$sockets/$1
}

# check_pprof FUNCTION: pprof reads what was dumped last there, and the function is in it.
check_pprof()
{
    local kind last
    last=$(find "$work"/dumps/$at -name '*.stuck' | sort -V | tail -n 1)
    for kind in threads fds; do
        HOME=$work PPROF_TMPDIR=$work/pprof timeout 60 go tool pprof -raw "${last%.stuck}.$kind.pb.gz" \
            >"$work/raw.$kind" 2>"$work/raw.err" || fail "pprof cannot read $kind: $(tail -n 1 "$work/raw.err")"
    done
    grep -q -- "$1" "$work/raw.threads" || fail "pprof sees no $1 in the threads"
}

is_well() { ask /debug/stuck -o "$work/stuck" && head -n 1 "$work/stuck" | grep -q '^nothing stuck'; }
check_stuck() { until_true is_well || fail "a healthy service: $(head -n 3 "$work/stuck")"; }

# check_outside: `snag dump` shows each thread where the listener shows it, and never stops it.
same_outside()
{
    ask '/debug/threads?format=json' -o "$work/inside" &&
        timeout 60 "$snag" dump "$process" threads --json >"$work/outside" 2>"$work/outside.err" &&
        digest same "$work/inside" "$work/outside" >"$work/differ"
}
check_outside()
{
    "$snag" dump --help | grep -q -- --json || return
    until_true same_outside || fail "snag dump $process: $(cat "$work/differ" "$work/outside.err" | head -n 3)"
}

# Lines of a log that warn, without their numbers, once each.
warnings() { grep -iE 'warn|error|fatal|panic|alert|crit|emerg|fail|exception' "$1" | sed 's/[0-9]\{1,\}/N/g' | sort -u; }

# Ended as it is ended without snag: the same exit status, no new warning in its log.
check_ending()
{
    local status new
    kill -"$ending" "$process"
    wait "$runner"
    status=$?
    services=()
    [ "$status" -eq "$alone_status" ] || fail "it ended with $status, alone with $alone_status: $(tail -n 3 "$work/with.log")"
    new=$(comm -13 <(warnings "$work/alone.log") <(warnings "$work/with.log"))
    [ -z "$new" ] || fail "new in its log: $(head -n 3 <<<"$new")"
}

# The services of this folder (*_service.*) answer load.py, and end with status 3 after a line that
# says what they did.

# serve_requests COUNT CONNECTIONS: alone, then with snag in it and dumped while so many are made.
serve_requests()
{
    local count=$1 connections=$2
    requests() { /usr/bin/python3 "$folder/load.py" "$port" "$count" "$connections" >"$work/load" 2>&1; }
    run_alone
    run_with_snag
    under_dumps requests
}

# check_last_line PATTERN: it ended well, and says so.
check_last_line()
{
    check_ending
    [ "$alone_status" -eq 3 ] || fail "its own status is $alone_status"
    grep -qxE -- "$1" "$work/with.log" || fail "it says at its end: $(tail -n 1 "$work/with.log")"
}
