#!/usr/bin/env bash
# nginx.sh proves that nginx serves every request right while its master and its workers, which drop
# their privileges, are dumped, each by a socket of its own; and that those which a reload makes
# get a listener as well, and those which it ends end well.
set -u
. "$SNAG_SOURCE/tests/services/support.sh"
need nginx ab
free_port
ending=QUIT
root=$work/nginx
mkdir "$root"
head -c 60000 /dev/urandom >"$root/page"
user=
[ "$(id -u)" != 0 ] || user='user www-data;'
cat >"$root/nginx.conf" <<EOF
daemon off; worker_processes 2; pid $root/pid; error_log stderr notice; $user
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path $root/body; proxy_temp_path $root/proxy; fastcgi_temp_path $root/fastcgi;
    uwsgi_temp_path $root/uwsgi; scgi_temp_path $root/scgi;
    server { listen 127.0.0.1:$port; root $root; }
}
EOF
command=(nginx -p "$root" -e stderr -c "$root/nginx.conf")

run_alone
run_with_snag --children --listen "unix:$sockets/%p"
master=$process
read -ra workers <"/proc/$master/task/$master/children"
[ ${#workers[@]} -eq 2 ] || fail "${#workers[@]} workers"
addresses=()
for one in "$master" "${workers[@]}"; do look_at "$one"; addresses+=("$address"); done

load()
{
    ab -q -k -c 8 -n 1500 "http://127.0.0.1:$port/page" >"$work/load" 2>&1 &&
        grep -qE '^Complete requests: +1500$' "$work/load" && grep -qE '^Failed requests: +0$' "$work/load" &&
        ! grep -q 'Non-2xx' "$work/load" && get "http://127.0.0.1:$port/page" | cmp -s - "$root/page"
}
under_dumps load

at=0 expect nginx '__libc_start.*' main ngx_master_process_cycle sigsuspend
for at in 1 2; do
    expect nginx main ngx_master_process_cycle ngx_spawn_process ngx_process_events_and_timers
done
at='[12]' check_pprof ngx_process_events_and_timers
for one in "$master" "${workers[@]}"; do
    look_at "$one"
    check_counts 1
    check_listener ngx_open_listening_sockets
    check_stuck
    check_outside
done
if [ -n "$user" ]; then
    [ "$(awk '$1 == "Uid:" { print $2 }' "/proc/${workers[0]}/status")" = "$(id -u www-data)" ] || fail "a worker is not www-data"
else
    echo "not root: that workers drop their privileges was not tried"
fi
# They declare themselves dumpable again, so none that is blocked need be asked by signal.
ask /debug/threads | grep -q 'blocked ones too' && fail "blocked threads of a worker are asked by signal"
check_connections ngx_event_accept

# A reload: new workers with listeners, old ones that end well.
are_new()
{
    local now
    read -ra now <"/proc/$master/task/$master/children"
    [ ${#now[@]} -eq 2 ] && [[ " ${workers[*]} " != *" ${now[0]} "* ]] && [[ " ${workers[*]} " != *" ${now[1]} "* ]]
}
kill -HUP "$master"
until_true are_new || fail "after a reload: $(cat "/proc/$master/task/$master/children"), before ${workers[*]}"
read -ra workers <"/proc/$master/task/$master/children"
for one in "${workers[@]}"; do
    look_at "$one"
    check_listener ngx_open_listening_sockets
done
load || fail "after a reload a reply is wrong or missing: $(tail -n 3 "$work/load")"

process=$master
check_ending
[ "$(grep -c 'worker process [0-9]* exited with code 0$' "$work/with.log")" -eq 4 ] ||
    fail "workers do not end well: $(grep 'exited' "$work/with.log")"
exit "$failed"
