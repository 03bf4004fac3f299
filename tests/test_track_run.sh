#!/usr/bin/env bash
# test_track_run.sh proves that `snag run` puts the listener and tracking into
# programs that were built without snag: where they listen, what is known of
# their descriptors, that what they start is left alone, their exit status; and
# that it says why where it cannot.
set -u
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || { echo "skipped: a sanitizer build"; exit 77; }
. "$SNAG_SOURCE/tests/support/service.sh"
snag=$SNAG_BUILD/src/snag
unset SNAG_LISTEN LD_PRELOAD

# A program that knows nothing of snag.
cat >"$work/plain.c" <<'END'
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
extern char **environ;
__attribute__((noinline)) static int opens_socket(void) { int fd = socket(AF_INET, SOCK_STREAM, 0); __asm__ volatile("" ::: "memory"); return fd; }
__attribute__((noinline)) static int opens_file(void) { int fd = open("/etc/passwd", O_RDONLY); __asm__ volatile("" ::: "memory"); return fd; }
static void *works(void *unused) { opens_socket(); pause(); return unused; }
int main(int argc, char **argv)
{
    pthread_t thread;
    for (char **at = environ; *at; at++)
        if (strncmp(*at, "SNAG_PRELOAD", 12) == 0 || strncmp(*at, "LD_PRELOAD", 10) == 0)
            printf("own %s\n", *at);
    fflush(stdout);
    if (system("env | sed -n '/^SNAG_PRELOAD\\|^LD_PRELOAD/s/^/child /p'; grep -c libsnag /proc/self/maps | sed 's/^/child maps /'"))
        return 99;
    opens_file();
    for (int i = 0; i < 3; i++)
        pthread_create(&thread, NULL, works, NULL);
    if (argc > 1 && strcmp(argv[1], "stay") == 0)
        sleep(60);
    return 7;
}
END
cc -g -O1 -o "$work/plain" "$work/plain.c" -pthread || fail "the program does not compile"
cc -g -O1 -static -o "$work/static" "$work/plain.c" -pthread || fail "a static one does not compile"

# says FILE PATTERN WHAT / says_not ...
says() { grep -qE -- "$2" "$1" || fail "$3: $(head -n 5 "$1")"; }
says_not() { grep -qE -- "$2" "$1" && fail "$3: $(grep -E -- "$2" "$1" | head -n 3)"; }

# ends STATUS COMMAND...: that it ends so; its output in $work/out and $work/err.
ends()
{
    local wanted=$1
    shift
    timeout 60 "$@" >"$work/out" 2>"$work/err" </dev/null
    local status=$?
    [ "$status" = "$wanted" ] || fail "$* ended with $status, not $wanted: $(head -n 3 "$work/err")"
}

# The listener, and who opened what.
service plain "$snag" run --listen 127.0.0.1:0 "$work/plain" stay
grep -qE "^snag: plain \(pid [0-9]+\) listens on 127.0.0.1:[0-9]+$" "$work/plain.log" || fail "what it says: $(cat "$work/plain.log")"
# Descriptors first: nothing else has had to look what is mapped.
get "http://$address/debug/fds" >"$work/fds"
says_not "$work/fds" "not in the process" "tracking is not found by the first request"
for ((i = 0; i < 100; i++)); do [ "$(threads_total "$address")" = 4 ] && break; sleep 0.1; done
[ "$(threads_total "$address")" = 4 ] || fail "it has $(threads_total "$address") threads"
get "http://$address/debug/threads" >"$work/threads"
says "$work/threads" "works at " "its threads are not named"
says_not "$work/threads" "posix_thread|libsnag-track" "a thread's stack shows what stands before pthread_create"
get "http://$address/debug/fds" >"$work/fds"
says "$work/fds" "^3 .*opened by opens_socket" "three sockets by their opener"
says "$work/fds" "opened by opens_file" "a file by its opener"
says_not "$work/plain.log" "^(own|child) (LD_PRELOAD|SNAG_PRELOAD)" "the variables are left in the environment"
says "$work/plain.log" "^child maps 0" "what it starts has snag in it"
end_services

service bare "$snag" run --no-fds --listen=127.0.0.1:0 "$work/plain" stay
says "/proc/$process/maps" "libsnag-preload" "it is preloaded"
says_not "/proc/$process/maps" "libsnag-track" "tracking with --no-fds"
get "http://$address/debug/pprof/threads?debug=1" >/dev/null || fail "no threads with --no-fds"
end_services

# What was to be preloaded stays so, for it and for what it starts.
service others env LD_PRELOAD="$SNAG_BUILD/src/libsnag.so" "$snag" run --listen 127.0.0.1:0 "$work/plain" stay
says "$work/others.log" "^own LD_PRELOAD=$SNAG_BUILD/src/libsnag.so$" "LD_PRELOAD lost what was in it"
end_services

service family "$snag" run --children --listen "unix:$work/%p.sock" "$work/plain" stay
[ "$(grep -c ' listens on ' "$work/family.log")" -ge 2 ] || fail "no listener in children: $(cat "$work/family.log")"
end_services

# By default the first free of a range; the environment's choice; the option's above it.
ends 7 "$snag" run "$work/plain"
says "$work/err" "listens on 127.0.0.1:60[67][0-9]$" "the default range"
ends 7 env SNAG_LISTEN=unix:"$work/own.sock" "$snag" run "$work/plain"
says "$work/err" "listens on unix:$work/own.sock$" "SNAG_LISTEN"
ends 7 env SNAG_LISTEN=off "$snag" run --listen 127.0.0.1:0 "$work/plain"
says "$work/err" "listens on 127.0.0.1:" "--listen above SNAG_LISTEN"
ends 7 env SNAG_LISTEN=off "$snag" run "$work/plain"
says_not "$work/err" "listens" "a listener with off"

# A listener that cannot be is said, and the program runs all the same.
ends 7 "$snag" run --listen 192.0.2.1:1 "$work/plain"
says "$work/err" "192.0.2.1" "an address that is refused"

# Scripts: the interpreter that counts is the script's, also by env.
printf '#!/usr/bin/env bash\n[ "$1" = "a b" ] && [ -z "${LD_PRELOAD-}" ] && exit 5\nexit 6\n' >"$work/by_env"
printf '#!/bin/sh\nexit 4\n' >"$work/by_path"
chmod +x "$work/by_env" "$work/by_path"
ends 5 "$snag" run --listen 127.0.0.1:0 "$work/by_env" "a b"
says "$work/err" "snag: bash .* listens on" "the listener is in env and not in bash"
ends 4 "$snag" run --listen 127.0.0.1:0 "$work/by_path"
ends 3 env PATH="$work:$PATH" "$snag" run --listen 127.0.0.1:0 -- sh -c 'exit 3'
ends 4 env PATH="$work:$PATH" "$snag" run --listen 127.0.0.1:0 by_path

# What cannot be.
ends 1 "$snag" run "$work/static"
says "$work/err" "^snag run: .*linked statically" "a static program"
ends 1 "$snag" run "$work/absent"
says "$work/err" "^snag run: cannot run '$work/absent': No such file" "a missing program"
ends 1 "$snag" run surely-not-a-program
says "$work/err" "^snag run: cannot find 'surely-not-a-program' in PATH" "a program not in PATH"
ends 1 "$snag" run "$work"
says "$work/err" "^snag run: cannot run" "a directory"
if [ "$(id -u)" = 0 ]; then
    cp "$work/plain" "$work/gains" && chown 65534 "$work/gains" && chmod 4755 "$work/gains"
    ends 1 "$snag" run "$work/gains"
    says "$work/err" "^snag run: .*set-user-ID" "a set-user-ID program"
fi
for wrong in "run" "run --frob x" "run --listen" "frob" ""; do
    # shellcheck disable=SC2086  # words
    ends 2 "$snag" $wrong
    [ -s "$work/out" ] && fail "snag $wrong: errors belong on stderr"
    [ -s "$work/err" ] || fail "snag $wrong: nothing said"
done
for help in "--help" "run --help"; do
    # shellcheck disable=SC2086
    ends 0 "$snag" $help
    [ "$(wc -l <"$work/out")" -le 24 ] && [ "$(wc -L <"$work/out")" -le 80 ] || fail "snag $help does not fit a screen"
done
ends 0 "$snag" --version
says "$work/out" "^snag [0-9]+\.[0-9]+\.[0-9]+$" "the version"

# Preloaded by hand into a static program, nothing happens.
ends 7 env LD_PRELOAD="$SNAG_BUILD/src/libsnag-track.so" "$work/static"

# Another library that stands before the same calls, and opens something as soon as memory is asked
# for, before any constructor: nothing passes it by, whether it comes before or behind.
cat >"$work/shim.c" <<'END'
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static int opens, sockets, closes, early = -1;
extern void *__libc_malloc(size_t size);
void *malloc(size_t size) { if (early == -1) { early = -2; early = open("/dev/null", O_RDONLY); } return __libc_malloc(size); }
int open(const char *path, int flags, ...)
{
    int (*next)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    opens++;
    return next(path, flags, 0600);
}
int socket(int domain, int type, int protocol)
{
    int (*next)(int, int, int) = dlsym(RTLD_NEXT, "socket");
    sockets++;
    return next(domain, type, protocol);
}
int close(int fd) { closes++; return ((int (*)(int))dlsym(RTLD_NEXT, "close"))(fd); }
__attribute__((destructor)) static void say(void) { fprintf(stderr, "shim: early %d, %d sockets\n", early >= 0, sockets); }
END
cc -D_GNU_SOURCE -O1 -shared -fPIC -o "$work/shim.so" "$work/shim.c" -ldl || fail "the shim does not compile"
cat >"$work/sockets.c" <<'END'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
static void *works(void *unused) { close(socket(AF_INET, SOCK_STREAM, 0)); return unused; }
int main(void)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, works, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    free(malloc(100));
    return 8;
}
END
cc -O0 -o "$work/sockets" "$work/sockets.c" -pthread || fail "sockets.c does not compile"
track=$SNAG_BUILD/src/libsnag-track.so
for order in "$work/shim.so:$track" "$track:$work/shim.so"; do
    ends 8 env LD_PRELOAD="$order" "$work/sockets"
    says "$work/err" "^shim: early 1, 4 sockets$" "with $order"
done

# Installed: the libraries are found from the command's place.
cmake --install "$SNAG_BUILD" --prefix "$work/prefix" >"$work/install.log" 2>&1 || fail "cmake --install: $(tail -n 2 "$work/install.log")"
ends 7 "$work/prefix/bin/snag" run --listen 127.0.0.1:0 "$work/plain"
says "$work/err" "listens on" "the installed command"
libraries=$(dirname "$(find "$work/prefix" -name libsnag-track.so)")
cc -g -O1 -Wl,--as-needed -o "$work/linked" "$work/plain.c" -L"$libraries" -lsnag-track -Wl,-rpath,"$libraries" -pthread ||
    fail "a program does not link with libsnag-track"
readelf -dW "$work/linked" | grep -q 'NEEDED.*libsnag-track.so.0' || fail "the linker left libsnag-track out"
ends 7 "$work/linked"
mkdir "$work/flat" && cp "$work/prefix/bin/snag" "$work/flat/"
ends 1 "$work/flat/snag" run "$work/plain"
says "$work/err" "cannot find libsnag-preload" "a command without its libraries"
cp -a "$work/prefix"/lib/*/libsnag* "$work/prefix"/lib/libsnag* "$work/flat/" 2>/dev/null
ends 7 "$work/flat/snag" run --listen 127.0.0.1:0 "$work/plain"
says "$work/err" "listens on" "libraries beside the command"

exit "$failed"
