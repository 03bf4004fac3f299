#!/usr/bin/env bash
# test_run_programs.sh proves that `snag run` leaves programs of many kinds unharmed: Python and Node
# with threads, a Go program, C++ that throws while it is dumped; that children inherit nothing of
# it; and that what it cannot do is refused with the reason and a way out.
set -u
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || { echo "skipped: a sanitizer build"; exit 77; }
. "$SNAG_SOURCE/tests/support/service.sh"
snag=$SNAG_BUILD/src/snag
unset SNAG_LISTEN LD_PRELOAD

says() { grep -qE -- "$2" "$1" || fail "$3: $(head -n 5 "$1")"; }

# ends STATUS COMMAND...: that it ends so; its output in $work/out and $work/err.
ends()
{
    local wanted=$1
    shift
    timeout 120 "$@" >"$work/out" 2>"$work/err" </dev/null
    local status=$?
    [ "$status" = "$wanted" ] || fail "$* ended with $status, not $wanted: $(head -n 3 "$work/err")"
}

# dumped NAME STATUS [FORM]: the service NAME is dumped until it ends, which it does with STATUS.
dumped()
{
    local runner=${services[-1]} dumps=0 status
    while kill -0 "$runner" 2>/dev/null; do
        get "http://$address/debug/threads" >"$work/threads.new" 2>/dev/null || continue
        grep -q . "$work/threads.new" && mv "$work/threads.new" "$work/threads" && dumps=$((dumps + 1))
    done
    wait "$runner"
    status=$?
    services=()
    [ "$status" = "$2" ] || fail "$1 ended with $status: $(tail -n 5 "$work/$1.log")"
    [ "$dumps" -gt 0 ] || fail "$1 was not dumped once"
    echo "$1: $dumps dumps"
}

# What stands in the way, and what else can be done.
refused() # WHAT PATTERN COMMAND...
{
    local what=$1 pattern=$2
    shift 2
    ends 1 "$snag" run "$@"
    says "$work/err" "^snag run: .*$pattern" "$what"
    [ "$(wc -l <"$work/err")" = 1 ] || fail "$what: more than a line: $(cat "$work/err")"
}
echo 'int main(void) { return 3; }' >"$work/three.c"
cc -o "$work/three" "$work/three.c" && cc -static -o "$work/static" "$work/three.c" || fail "it does not compile"
cc -o "$work/musl" "$work/three.c" -Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1
cc -o "$work/strange" "$work/three.c" -Wl,--dynamic-linker=/surely/not/ld.so
{ printf '\177ELF\001\001\001'; head -c 100 /dev/zero; } >"$work/small"
printf '#!/surely/not/an-interpreter -x\n' >"$work/script"
printf '#!/usr/bin/env surely-not-one\n' >"$work/by_env"
printf 'exit 4\n' >"$work/bare"
chmod +x "$work/small" "$work/script" "$work/by_env" "$work/bare"
touch "$work/plain"
refused static "linked statically.*snag dump PID" "$work/static"
refused musl "linked with musl.*snag dump PID" "$work/musl"
refused "another loader" "loader that is not there.*snag dump PID" "$work/strange"
refused 32-bit "not a 64-bit program.*snag dump PID" "$work/small"
refused script "script for '/surely/not/an-interpreter', and that cannot be run: No such file" "$work/script"
refused env "cannot find 'surely-not-one' in PATH" "$work/by_env"
refused bare "neither a program nor a script.*snag run sh" "$work/bare"
refused directory "Is a directory" "$work"
refused "no right" "Permission denied" "$work/plain"
refused absent "No such file" "$work/absent"
ends 3 "$snag" run --listen 127.0.0.1:0 "$work/three"

# AddressSanitizer, which wants to be the first library; with what it looks for.
printf '#include <stdlib.h>\nint main(int n, char **v) { char *p = malloc(n); p[n] = v[0][0]; free(p); return 3; }\n' >"$work/beyond.c"
if cc -fsanitize=address -o "$work/checked" "$work/three.c" 2>/dev/null && cc -fsanitize=address -o "$work/beyond" "$work/beyond.c"; then
    ends 3 "$snag" run --listen 127.0.0.1:0 "$work/checked"
    [ "$(wc -l <"$work/err")" = 1 ] || fail "a program with AddressSanitizer: $(cat "$work/err")"
    ends 3 "$snag" run --listen 127.0.0.1:0 sh -c 'exec "$0"' "$work/checked"
    ends 1 "$snag" run --listen 127.0.0.1:0 "$work/beyond"
    says "$work/err" "heap-buffer-overflow" "a write beyond"
fi

# A line of ours to a pipe that nobody reads, or beyond the limit of file sizes, ends nobody.
cat >"$work/unread.c" <<'END'
#include <signal.h>
#include <unistd.h>
#include <sys/wait.h>
int main(int argc, char **argv)
{
    int pair[2], status;
    sigset_t none;
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (argc < 2 || pipe(pair) != 0 || close(pair[0]) != 0)
        return 9;
    if (fork() == 0) {
        dup2(pair[1], 2);
        execvp(argv[1], argv + 1);
        _exit(8);
    }
    wait(&status);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}
END
cc -o "$work/unread" "$work/unread.c" || fail "unread.c does not compile"
ends 3 "$work/unread" "$snag" run --listen 127.0.0.1:0 "$work/three"
ends 3 "$work/unread" "$snag" run --listen nonsense "$work/three"
ends 3 bash -c 'ulimit -f 0; exec "$@"' limited "$snag" run --listen 127.0.0.1:0 --address-file "$work/limited" "$work/three"
[ -z "$(ls "$work" | grep limited)" ] || fail "what could not be written is left: $(ls "$work")"

# What ends without running destructors leaves nothing behind either; a child of vfork that cannot
# run its program, and so ends, leaves everything as it is.
ends 3 "$snag" run --listen "unix:$work/%p.sock" --address-file "$work/%p.address" sh -c 'exit 3'
cat >"$work/vforks.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void)
{
    char address[100];
    int status;
    if (vfork() == 0) {
        execl("/surely/not", "not", NULL);
        _exit(6);
    }
    wait(&status);
    snprintf(address, sizeof address, "%s/%d.sock", getenv("SOCKETS"), (int)getpid());
    _Exit(access(address, F_OK) == 0 && WEXITSTATUS(status) == 6 ? 5 : 4);
}
END
cc -D_GNU_SOURCE -o "$work/vforks" "$work/vforks.c" || fail "vforks.c does not compile"
ends 5 env SOCKETS="$work" "$snag" run --listen "unix:$work/%p.sock" --address-file "$work/%p.address" "$work/vforks"
[ -z "$(ls "$work" | grep -E "sock$|address$")" ] || fail "left behind: $(ls "$work")"

# Children inherit nothing of it, and what the user set.
for run in "env" "bash -c env" "sh -c env"; do
    # shellcheck disable=SC2086  # words
    ends 0 env -i PATH="$PATH" USER_SAYS=1 SNAG_SIGNAL=never $snag run --listen 127.0.0.1:0 --address-file "$work/address" $run
    grep -vE "^(PATH|USER_SAYS|SNAG_SIGNAL|PWD|SHLVL|_|OLDPWD)=" "$work/out" | grep -q "" && fail "$run inherits: $(cat "$work/out")"
    says "$work/out" "^SNAG_SIGNAL=never$" "$run lost what the user set"
done
ends 0 env -i PATH="$PATH" LD_PRELOAD="$SNAG_BUILD/src/libsnag.so" SNAG_LISTEN=127.0.0.1:0 "$snag" run sh -c env
says "$work/out" "^LD_PRELOAD=$SNAG_BUILD/src/libsnag.so$" "LD_PRELOAD of the user"
says "$work/out" "^SNAG_LISTEN=127.0.0.1:0$" "SNAG_LISTEN of the user"

# What the process becomes has the listener, at the same address; what it starts has not, nor has
# what a static one starts.
printf '#!/bin/sh\necho starts\nexec "$@"\n' >"$work/entry"
chmod +x "$work/entry"
service becomes "$snag" run --listen 127.0.0.1:0 --address-file "$work/address" "$work/entry" env nice bash -c 'exec "$0" -c "sh -c env; trap : USR1; read -r x < <(sleep 100)"' "$(command -v bash)"
for ((i = 0; i < 300; i++)); do [ "$(grep -c 'listens on' "$work/becomes.log")" = 5 ] && grep -q ^PATH= "$work/becomes.log" && break; sleep 0.1; done
[ "$(grep -c "(pid $process) listens on $address$" "$work/becomes.log")" = 5 ] || fail "what it becomes: $(cat "$work/becomes.log")"
grep -qE "^(LD_PRELOAD|SNAG_PRELOAD|SNAG_LISTEN)" "$work/becomes.log" && fail "what it starts inherits: $(cat "$work/becomes.log")"
get "http://$address/debug/threads" >"$work/threads" && says "$work/threads" "tid $process" "the threads of what it became"
grep -qxF "$address" "$work/address" || fail "the address file says $(cat "$work/address")"
end_services
printf '#include <stdlib.h>\nint main(void) { return system("env | grep -e ^LD_PRELOAD= -e ^SNAG_PRELOAD") == 256 ? 3 : 4; }\n' >"$work/starts.c"
cc -static -o "$work/starts" "$work/starts.c" 2>/dev/null || fail "starts.c does not compile"
ends 3 "$snag" run --listen 127.0.0.1:0 "$work/entry" "$work/starts"
cat >"$work/execs.c" <<'END'
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
extern char **environ;
int main(int argc, char **argv)
{
    char *vector[] = { "sh", "-c", "exit 7", NULL };
    int fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);
    switch (atoi(argv[argc - 1])) {
    case 0: execl("/bin/sh", "sh", "-c", "exit 7", NULL); break;
    case 1: execlp("sh", "sh", "-c", "exit 7", NULL); break;
    case 2: execle("/bin/sh", "sh", "-c", "exit $MINE", NULL, (char *[]){ "MINE=7", NULL }); break;
    case 3: execv("/bin/sh", vector); break;
    case 4: execvp("sh", vector); break;
    case 5: execve("/bin/sh", vector, environ); break;
    case 6: execvpe("sh", vector, environ); break;
    case 7: fexecve(fd, vector, environ); break;
    }
    return 8;
}
END
cc -D_GNU_SOURCE -o "$work/execs" "$work/execs.c" || fail "execs.c does not compile"
for way in 0 1 2 3 4 5 6 7; do
    ends 7 "$snag" run --listen 127.0.0.1:0 "$work/execs" "$way"
    [ "$(grep -c "listens on" "$work/err")" = 2 ] || fail "exec, way $way: $(cat "$work/err")"
    ends 7 "$snag" run --no-fds --children --listen 127.0.0.1:0 "$work/execs" "$way"
    [ "$(grep -c "listens on" "$work/err")" = 2 ] || fail "exec with --children, way $way: $(cat "$work/err")"
done

# What the service reads of its children is theirs.
ends 3 "$snag" run --children --listen 127.0.0.1:0 sh -c 'x=$(sh -c "exec env -i $(command -v true)" 2>&1); [ -z "$x" ] || exit 4; exit 3'
ends 3 "$snag" run --children --listen 127.0.0.1:0 sh -c '"$0"; exit 3' "$work/three"
[ "$(grep -c "listens on" "$work/err")" = 2 ] || fail "its children's lines: $(cat "$work/err")"

# What the auxiliary vector says is found behind the environment.
cat >"$work/vector.c" <<'END'
#include <elf.h>
#include <stdio.h>
#include <sys/auxv.h>
int main(int argc, char **argv, char **environment)
{
    int pages = 0, identities = 0;
    while (*environment)
        environment++;
    for (Elf64_auxv_t *at = (Elf64_auxv_t *)(environment + 1); at->a_type != AT_NULL; at++) {
        pages += at->a_type == AT_PAGESZ && at->a_un.a_val == getauxval(AT_PAGESZ);
        identities += at->a_type == AT_UID && at->a_un.a_val == getauxval(AT_UID);
    }
    return pages == 1 && identities == 1 ? 3 : 4;
}
END
cc -o "$work/vector" "$work/vector.c" || fail "vector.c does not compile"
ends 3 "$snag" run --listen 127.0.0.1:0 "$work/vector"
ends 3 "$snag" run --listen 127.0.0.1:0 --address-file "$work/address" "$work/vector"
ends 3 env LD_PRELOAD="$SNAG_BUILD/src/libsnag.so" "$snag" run --listen 127.0.0.1:0 "$work/vector"
ends 3 "$snag" run --leakcheck "$work/vector"

# C++ exceptions, amid dumps.
cat >"$work/throws.cc" <<'END'
#include <atomic>
#include <cstdlib>
#include <ctime>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
static std::atomic<long> caught;
__attribute__((noinline)) static void deep(int depth)
{
    std::string kept(100, 'x');
    if (depth == 0)
        throw std::runtime_error("thrown");
    deep(depth - 1);
    if (kept.empty())
        abort();
}
int main()
{
    std::vector<std::thread> threads;
    const time_t end = time(nullptr) + 4;
    for (int i = 0; i < 4; i++)
        threads.emplace_back([end] {
            while (time(nullptr) < end)
                try {
                    deep(20);
                    abort();
                } catch (const std::runtime_error &) {
                    caught++;
                }
        });
    for (auto &thread : threads)
        thread.join();
    return caught > 100 ? 5 : 6;
}
END
c++ -O1 -g -o "$work/throws" "$work/throws.cc" -pthread || fail "throws.cc does not compile"
service throws "$snag" run --listen 127.0.0.1:0 "$work/throws"
dumped throws 5
says "$work/threads" "^[0-9]+ threads?: " "the threads of C++"

# Python: threads that wait and threads that work, children by fork and by exec.
python=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null) # not a script that becomes it
if [ -n "$python" ]; then
    cat >"$work/threads.py" <<'END'
import os, subprocess, sys, threading, time
end = time.time() + 4
def waits():
    event.wait()
def works():
    while time.time() < end:
        sum(i * i for i in range(10000))
event = threading.Event()
threads = [threading.Thread(target=t) for t in (waits, waits, works, works)]
for thread in threads:
    thread.start()
for i in range(10):
    assert subprocess.run([sys.executable, "-c", "import os; print('LD_PRELOAD' in os.environ)"], capture_output=True).stdout == b"False\n"
    child = os.fork()
    if child == 0:
        os._exit(i)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == i
while time.time() < end:
    time.sleep(0.01)
event.set()
for thread in threads:
    thread.join()
sys.exit(5)
END
    service python "$snag" run --listen 127.0.0.1:0 "$python" "$work/threads.py"
    dumped python 5
    # With --children the children of its multiprocessing, which fork amid threads, have theirs.
    cat >"$work/pool.py" <<'END'
import multiprocessing, sys, threading, time
def work(number):
    time.sleep(0.05)
    return number * number
if __name__ == "__main__":
    threading.Thread(target=time.sleep, args=(1,)).start()
    multiprocessing.set_start_method("fork")
    with multiprocessing.Pool(4) as pool:
        assert pool.map(work, range(100), 1) == [n * n for n in range(100)]
    sys.exit(5)
END
    ends 5 "$snag" run --children --listen 127.0.0.1:0 "$python" "$work/pool.py"
    [ "$(grep -c "listens on" "$work/err")" -ge 5 ] || fail "the pool has no listeners: $(cat "$work/err")"
fi

# Node: its threads, its workers, its children.
if command -v node >/dev/null; then
    cat >"$work/threads.js" <<'END'
const { Worker, isMainThread } = require('worker_threads');
const { execFileSync } = require('child_process');
const end = Date.now() + 4000;
if (isMainThread) {
    let left = 3;
    for (let i = 0; i < 3; i++)
        new Worker(__filename).on('exit', () => { if (--left === 0) process.exit(5); });
    if (execFileSync('sh', ['-c', 'echo "$LD_PRELOAD"']).toString() !== '\n')
        process.exit(6);
    require('fs').readFile(__filename, () => {});
} else {
    let sum = 0;
    while (Date.now() < end)
        sum += [1, 2, 3].map(x => x * x).reduce((a, b) => a + b);
}
END
    service node "$snag" run --listen 127.0.0.1:0 node "$work/threads.js"
    dumped node 5
    says "$work/threads" "started by .*(node|uv)" "who started Node's threads"
fi

# Go: by itself it is static, and says what it has of its own; with cgo it works.
if command -v go >/dev/null; then
    export GOCACHE=$work/gocache GOFLAGS= GO111MODULE=off
    printf 'package main\nfunc main() {}\n' >"$work/static.go"
    CGO_ENABLED=0 go build -o "$work/static_go" "$work/static.go" || fail "static.go does not build"
    refused Go "Go program without cgo.*net/http/pprof.*snag dump PID" "$work/static_go"
    cat >"$work/cgo.go" <<'END'
package main

// #include <unistd.h>
// static void nap(void) { usleep(1000); }
import "C"

import (
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

func main() {
	var group sync.WaitGroup
	end := time.Now().Add(4 * time.Second)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	for i := 0; i < 4; i++ {
		group.Add(2)
		go func() { // is preempted by SIGURG
			defer group.Done()
			for n := 0; n%1000000 != 0 || time.Now().Before(end); n++ {
			}
		}()
		go func() {
			defer group.Done()
			for time.Now().Before(end) {
				C.nap()
			}
		}()
	}
	for i := 0; i < 5; i++ {
		if out, err := exec.Command("sh", "-c", "echo $LD_PRELOAD").Output(); err != nil || string(out) != "\n" {
			os.Exit(7)
		}
	}
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	<-signals
	group.Wait()
	os.Exit(5)
}
END
    go build -o "$work/cgo" "$work/cgo.go" || fail "cgo.go does not build"
    for mode in auto always; do
        service "cgo_$mode" env SNAG_SIGNAL=$mode "$snag" run --listen 127.0.0.1:0 "$work/cgo"
        dumped "cgo_$mode" 5
        says "$work/threads" "^[0-9]+ threads?: " "the threads of Go"
    done
fi

exit "$failed"
