#!/usr/bin/env bash
# test_run_forks.sh proves what `snag run` does with programs that fork: a daemon keeps its
# listener, at its address, whichever way it goes to the background; with --children every process
# has one of its own, also with its environment cleared; without, children of a service that goes
# on have none, and no thread of snag's.
set -u
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || { echo "skipped: a sanitizer build"; exit 77; }
. "$SNAG_SOURCE/tests/support/service.sh"
snag=$SNAG_BUILD/src/snag
unset SNAG_LISTEN LD_PRELOAD

# forker PIDS WAY: forks as services do; each process that stays writes its id to PIDS.
cat >"$work/forker.c" <<'END'
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static const char *pids;
static void stay(void)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%d\n", (int)getpid());
    int fd = open(pids, O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (write(fd, text, length) != length)
        _exit(99);
    close(fd);
    for (;;)
        pause();
}
static volatile sig_atomic_t handled;
static void on_child(int signal) { if (handled++ < 300 && fork() == 0) _exit(signal); }
static void *idle(void *unused) { pause(); return unused; }
static void child(int session) { if (fork() == 0) { if (session) setsid(); stay(); } }
int main(int argc, char **argv)
{
    pthread_t thread;
    const char *way = argv[2];
    pids = argv[1];
    alarm(200);
    if (argc != 3)
        return 99;
    if (strcmp(way, "threaded") == 0)
        pthread_create(&thread, NULL, idle, NULL);
    if (strcmp(way, "daemon") == 0 && daemon(0, 0) != 0)
        return 98;
    if (strcmp(way, "double") == 0 || strcmp(way, "single") == 0 || strcmp(way, "master") == 0 || strcmp(way, "threaded") == 0) {
        if (fork() != 0)
            exit(0);
        setsid();
    }
    if (strcmp(way, "double") == 0 && fork() != 0)
        _exit(0);
    if (strcmp(way, "cleared") == 0) {
        clearenv();
        memset(argv[0], 'x', strlen(argv[0])); /* as setproctitle does */
    }
    if (strcmp(way, "master") == 0 || strcmp(way, "children") == 0 || strcmp(way, "cleared") == 0)
        for (int i = 0; i < 3; i++)
            child(0);
    if (strcmp(way, "ten") == 0)
        for (int i = 0; i < 10; i++)
            child(0);
    if (strcmp(way, "sessions") == 0)
        for (int i = 0; i < 3; i++)
            child(1);
    if (strcmp(way, "many") == 0) { /* that end at once */
        for (int i = 0; i < 300; i++) {
            pid_t process = fork();
            if (process == 0)
                _exit(i % 7);
            int status;
            if (waitpid(process, &status, 0) != process || !WIFEXITED(status) || WEXITSTATUS(status) != i % 7)
                return 97;
        }
        return 5;
    }
    if (strcmp(way, "grandchildren") == 0) { /* whose forks meet the starts of their parents */
        for (int i = 0; i < 4; i++)
            if (fork() == 0) {
                for (int j = 0; j < 1500; j++) {
                    pid_t process = fork();
                    if (process == 0)
                        exit(0);
                    waitpid(process, NULL, 0);
                }
                exit(0);
            }
        while (wait(NULL) > 0)
            ;
        return 6;
    }
    if (strcmp(way, "handler") == 0) { /* that forks, amid forks */
        signal(SIGCHLD, on_child);
        for (int i = 0; i < 300; i++)
            if (fork() == 0)
                _exit(0);
        return 7;
    }
    if (strcmp(way, "closed") == 0 && fork() == 0) { /* a data file gets the number of stderr */
        close_range(0, ~0U, 0);
        open("/dev/null", O_RDONLY);
        dup2(open(getenv("DATA"), O_RDWR | O_CREAT, 0600), 2);
        stay();
    }
    stay();
}
END
cc -D_GNU_SOURCE -g -O1 -Wall -o "$work/forker" "$work/forker.c" -pthread || fail "the program does not compile"

# amid: handlers fork while malloc works. Every other child returns from the handler and goes on: by
# more memory, a user id, a thread, a fork of its own. watched: the program has handlers of
# pthread_atfork, which a fork in a handler must run.
cat >"$work/amid.c" <<'END'
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile sig_atomic_t forks, wrong, is_child, watched;
static void handler(int signal)
{
    int status;
    if (is_child)
        return;
    pid_t process = fork();
    if (process == 0 && forks % 2 == 0)
        _exit(signal);
    if (process == 0) {
        is_child = 1;
        return;
    }
    int wanted = forks++ % 2 == 0 ? signal : 3;
    wrong += waitpid(process, &status, 0) != process || !WIFEXITED(status) || WEXITSTATUS(status) != wanted;
}
static void *nothing(void *argument) { return argument; }
static void watch(void) { watched++; }
static int go_on(void)
{
    pthread_t thread;
    int status = 0;
    if (setuid(getuid()) != 0 || pthread_create(&thread, NULL, nothing, NULL) != 0 || pthread_join(thread, NULL) != 0)
        return 4;
    pid_t process = fork();
    if (process == 0)
        exit(0);
    return waitpid(process, &status, 0) == process && status == 0 ? 3 : 5;
}
int main(int argc, char **argv)
{
    struct itimerval often = { { 0, 500 }, { 0, 500 } };
    alarm(200);
    if (strcmp(argv[argc - 1], "watched") == 0) {
        pthread_atfork(watch, watch, NULL);
        signal(SIGUSR1, handler);
        for (int i = 0; i < 4 && !is_child; i++)
            raise(SIGUSR1);
        return is_child ? go_on() : wrong || watched != 8 ? 9 : 7;
    }
    signal(SIGVTALRM, handler);
    setitimer(ITIMER_VIRTUAL, &often, NULL);
    while (forks < 200 && !is_child)
        for (int i = 0; i < 1000; i++)
            free(malloc((size_t)i * 10));
    setitimer(ITIMER_VIRTUAL, &(struct itimerval){ { 0, 0 }, { 0, 0 } }, NULL);
    return is_child ? go_on() : wrong ? 9 : 7;
}
END
cc -D_GNU_SOURCE -g -O1 -Wall -o "$work/amid" "$work/amid.c" -pthread || fail "amid.c does not compile"
for way in amid watched; do
    for option in --no-fds --children; do
        timeout 120 "$snag" run $option --listen 127.0.0.1:0 "$work/amid" "$way" >"$work/log" 2>&1
        status=$?
        [ "$status" = 7 ] || fail "forks in handlers, $way, $option: ended with $status: $(tail -n 3 "$work/log")"
    done
done

lines_are() { [ "$(wc -l <"$1" 2>/dev/null)" = "$2" ]; }
tasks_are() { [ "$(ls "/proc/$1/task" | wc -l)" = "$2" ]; }
says() { grep -qE -- "$2" "$1"; }
end_all() { xargs -r kill 2>/dev/null <"$work/pids"; rm -f "$work/pids"; }
trap 'end_all; end_services; rm -rf "$work"' EXIT

# shows PID OF [OPTION...]: that PID's threads are shown by what listens at address OF.
shows()
{
    local pid=$1 url=http://$2/debug/pprof/threads?debug=2
    shift
    case $1 in unix:*) get --unix-socket "${1#unix:}" "http://localhost/debug/pprof/threads?debug=2" ;; *) get "$url" ;; esac | grep -qw "$pid"
}

# Every way of going to the background.
for way in daemon single double master; do
    stays=1
    [ "$way" = master ] && stays=4
    for listen in 127.0.0.1:0 "unix:$work/%p.sock"; do
        timeout 300 "$snag" run --listen "$listen" --address-file "$work/address" "$work/forker" "$work/pids" "$way" >"$work/log" 2>&1
        before=$(sed -n 's/.* listens on //p;q' "$work/log")
        comes "$way: who stays" lines_are "$work/pids" "$stays"
        # The daemon's own id comes last or first; it is the parent of the others.
        for pid in $(cat "$work/pids"); do
            case " $(cat "$work/pids" | tr '\n' ' ') " in *" $(sed 's/.*) //' "/proc/$pid/stat" | cut -d' ' -f2) "*) ;; *) heir=$pid ;; esac
        done
        [ "$listen" = 127.0.0.1:0 ] || before=unix:$work/$heir.sock
        comes "$way: the address file after taking over" grep -qxF "$before" "$work/address"
        comes "$way: the daemon listens" shows "$heir" "$before"
        [ "$way" = daemon ] || comes "$way: it is said" says "$work/log" "took over from pid [0-9]+ and listens on"
        [ "$(ls "$work" | grep -c 'sock$')" -le 1 ] || fail "$way: a socket is left behind: $(ls "$work")"
        for pid in $(cat "$work/pids"); do
            comes "$way: threads of $pid" tasks_are "$pid" "$([ "$pid" = "$heir" ] && echo 2 || echo 1)"
        done
        end_all
        rm -f "$work/address" "$work"/*.sock
    done
done

# A process with threads of its own that forks has no heir.
timeout 300 "$snag" run --listen 127.0.0.1:0 "$work/forker" "$work/pids" threaded >"$work/log" 2>&1
comes "threaded: who stays" lines_are "$work/pids" 1
end_all

# Without --children: no listener in children, and no thread for longer than it takes.
for way in children sessions; do
    service "$way" "$snag" run --listen 127.0.0.1:0 "$work/forker" "$work/pids" "$way"
    comes "$way: who stays" lines_are "$work/pids" 4
    for pid in $(cat "$work/pids"); do
        comes "$way: threads of $pid" tasks_are "$pid" "$([ "$pid" = "$process" ] && echo 2 || echo 1)"
    done
    [ "$(grep -c listens "$work/$way.log")" = 1 ] || fail "$way: $(cat "$work/$way.log")"
    end_all
    end_services
done

# With it: each its own, and its file.
for way in children cleared; do
    service "$way" "$snag" run --children --listen "unix:$work/%p.sock" --address-file "$work/%p.address" "$work/forker" "$work/pids" "$way"
    comes "$way: who stays" lines_are "$work/pids" 4
    for pid in $(cat "$work/pids"); do
        comes "$way: the file of $pid" grep -qxF "unix:$work/$pid.sock" "$work/$pid.address"
        comes "$way: $pid listens" shows "$pid" "unix:$work/$pid.sock"
        comes "$way: threads of $pid" tasks_are "$pid" 2
    done
    grep -q "^snag: forker (pid $pid) listens on unix:$work/$pid.sock$" "$work/$way.log" || fail "$way: $(cat "$work/$way.log")"
    end_all
    end_services
    rm -f "$work"/*.sock "$work"/*.address
done
# A range that is too small: the rest goes on without, and says so.
service few "$snag" run --children --listen 127.0.0.1:0 "$work/forker" "$work/pids" children
comes "any free port: all listen" grep -c listens "$work/few.log"
comes "who stays" lines_are "$work/pids" 4
end_all
end_services
port=$((${address##*:}))
service few "$snag" run --children --listen "127.0.0.1:$port-$((port + 1))" "$work/forker" "$work/pids" children
comes "two of four are told" eval '[ "$(grep -c "has no listener: .*in use (every port of the range)" "$work/few.log")" -ge 2 ]'
comes "who stays" lines_are "$work/pids" 4
end_all
end_services

# Of many that have none a few are told.
service ten "$snag" run --children --listen "127.0.0.1:$port-$port" "$work/forker" "$work/pids" ten
comes "who stays" lines_are "$work/pids" 11
for pid in $(cat "$work/pids"); do
    comes "ten: threads of $pid" tasks_are "$pid" "$([ "$pid" = "$process" ] && echo 2 || echo 1)"
done
[ "$(grep -c "has no listener" "$work/ten.log")" = 5 ] && grep -q "not said any more" "$work/ten.log" || fail "ten without: $(cat "$work/ten.log")"
end_all
end_services

# Children that come and go.
timeout 300 "$snag" run --children --listen 127.0.0.1:0 "$work/forker" "$work/pids" many >"$work/log" 2>&1
status=$?
[ "$status" = 5 ] || fail "children that end at once: $status: $(tail -n 3 "$work/log")"
timeout 300 "$snag" run --children --listen 127.0.0.1:0 "$work/forker" "$work/pids" grandchildren >"$work/log" 2>&1
status=$?
[ "$status" = 6 ] || fail "forks amid starts: $status: $(tail -n 3 "$work/log")"

for children in "" --children; do
    # shellcheck disable=SC2086  # nothing or a word
    timeout 300 "$snag" run $children --listen 127.0.0.1:0 "$work/forker" "$work/pids" handler >"$work/log" 2>&1
    status=$?
    [ "$status" = 7 ] || fail "a handler that forks, $children: $status: $(tail -n 3 "$work/log")"
done

# A file that a child has in the place of stderr gets no line of snag's.
export DATA=$work/data
service closed "$snag" run --children --listen "unix:$work/%p.sock" --address-file "$work/%p.address" "$work/forker" "$work/pids" closed
comes "closed: who stays" lines_are "$work/pids" 2
for pid in $(cat "$work/pids"); do
    comes "closed: the file of $pid" grep -qxF "unix:$work/$pid.sock" "$work/$pid.address"
    comes "closed: threads of $pid" tasks_are "$pid" 2
done
[ -e "$work/data" ] && [ ! -s "$work/data" ] || fail "the child's file is written to: $(head -c 200 "$work/data")"
end_all
end_services

# The end takes the files along.
ends() { timeout 60 "$@" >"$work/out" 2>"$work/err" </dev/null; }
ends "$snag" run --listen "unix:$work/end.sock" --address-file "$work/end.address" bash -c "cat $work/end.address; exit 0"
grep -qxF "unix:$work/end.sock" "$work/out" || fail "no address file while it runs: $(cat "$work/out" "$work/err")"
[ -e "$work/end.address" ] || [ -e "$work/end.sock" ] && fail "left behind: $(ls "$work")"

# What cannot be for many is refused.
for listen in 127.0.0.1:6060 "unix:$work/one.sock"; do
    ends "$snag" run --children --listen "$listen" true
    [ $? = 2 ] || fail "--children at $listen"
    grep -q "a range of ports" "$work/err" || fail "--children at $listen: $(cat "$work/err")"
done
ends "$snag" run --children --address-file "$work/one" true
[ $? = 2 ] || fail "--children with one address file"

exit "$failed"
