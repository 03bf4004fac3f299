#!/usr/bin/env bash
# postgres.sh proves that PostgreSQL, which forks a process for each connection, keeps its accounts
# right while its processes are dumped, each by a socket of its own; and that each is told from the
# others by the functions it is in.
set -u
. "$SNAG_SOURCE/tests/services/support.sh"
bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
[ -x "$bin/postgres" ] && [ -x "$bin/pgbench" ] || skip "no postgres with pgbench"
free_port
ending=INT # a fast shutdown
data=$work/data
mkdir -m 700 "$data"
if [ "$(id -u)" = 0 ]; then # which it refuses to be
    need setpriv
    id postgres >/dev/null 2>&1 || skip "root, and no user postgres"
    other_user=(setpriv --reuid postgres --regid postgres --clear-groups)
    chown postgres: "$data"
fi
"${other_user[@]}" "$bin/initdb" -D "$data" -A trust -U postgres -E UTF8 --no-locale --no-sync >"$work/initdb" 2>&1 ||
    { fail "initdb: $(tail -n 2 "$work/initdb")"; exit 1; }
command=("$bin/postgres" -D "$data" -k "$sockets" -p "$port" -c listen_addresses=127.0.0.1 -c fsync=off)
export PGHOST=127.0.0.1 PGPORT=$port PGUSER=postgres PGDATABASE=postgres
accepts() { grep -q 'ready to accept connections$' "$work/$1.log"; } # whoever asks before is logged
ready() { until_true accepts "$([ -e "$work/with.log" ] && echo with || echo alone)"; }
sql() { "$bin/psql" -XAtq -v ON_ERROR_STOP=1 -c "$1"; }

run_alone
run_with_snag --children --listen "unix:$sockets/%p"
postmaster=$process
"$bin/pgbench" -i -q -s 1 >"$work/load" 2>&1 || fail "pgbench -i: $(tail -n 1 "$work/load")"

# A session that stays, so that its process can be asked.
coproc session { "$bin/psql" -XAtq -v ON_ERROR_STOP=1; }
session_job=$session_PID
in_session()
{
    local reply
    echo "$1" >&"${session[1]}" && IFS= read -r -t 60 reply <&"${session[0]}" && echo "$reply"
}
backend=$(in_session 'select pg_backend_pid();')
client_port=$(in_session 'select inet_client_port();')
walwriter=$(sql "select pid from pg_stat_activity where backend_type = 'walwriter'")
addresses=()
for one in "$postmaster" "$backend" "$walwriter"; do look_at "$one"; addresses+=("$address"); done

load()
{
    local i
    "$bin/pgbench" -n -c 4 -t 150 >"$work/load" 2>&1 &&
        grep -qx 'number of transactions actually processed: 600/600' "$work/load" &&
        grep -q '^number of failed transactions: 0 ' "$work/load" || return
    for ((i = 0; i < 20; i++)); do
        [ "$(in_session 'select count(*), sum(aid) from pgbench_accounts;')" = '100000|5000050000' ] || return
    done
}
under_dumps load
sums=$(sql 'select (select sum(abalance) from pgbench_accounts), (select sum(bbalance) from pgbench_branches),
                   (select sum(tbalance) from pgbench_tellers), (select sum(delta) from pgbench_history)')
[ "$(tr '|' '\n' <<<"$sums" | sort -u | wc -l)" -eq 1 ] && [ -n "$sums" ] || fail "the accounts do not agree: $sums"

at=0 expect postgres '__libc_start.*' main PostmasterMain
at=1 expect postgres main PostmasterMain PostgresMain
at=2 expect postgres main PostmasterMain WalWriterMain
at=0 check_pprof PostmasterMain
at=1 seen 'exec_simple_query\|ExecutorRun\|WaitEventSetWait'
for one in "$postmaster" "$backend" "$walwriter"; do
    look_at "$one"
    check_counts 1
    check_stuck
    check_outside
done
look_at "$postmaster"
check_listener StreamServerPort
look_at "$backend"
connection_is_told "$client_port" PostmasterMain || fail "its client's connection: $(digest fds <"$work/fds" | grep tcp)"
fd_is "tcp LISTEN" && fail "a session's process is told to listen"

exec {session[1]}>&-
wait "$session_job" || fail "the session ended with $?"
is_gone() { [ ! -e "/proc/$1" ]; }
until_true is_gone "$backend" || fail "the session's process is still there"
process=$postmaster
check_ending
exit "$failed"
