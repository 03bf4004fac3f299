#!/usr/bin/env bash
# test_collect.sh proves what `snag collect` promises: profiles of 200 targets at once, real
# services by every form of address among them, of which 20 fail in five ways and cost one line
# each; what else a target may send is refused in words; every file is whole and private; targets
# come and go with the file they are read from; what is old or too much is removed, and nothing
# of others; no half file is left by a kill.
set -u
. "$SNAG_SOURCE/tests/support/service.sh"
command -v go >/dev/null || skip "no go"
export PPROF_TMPDIR=$work/pprof HOME=$work
snag=$SNAG_BUILD/src/snag
programs=$SNAG_BUILD/tests/programs
case $(ulimit -Hn) in unlimited) ;; *) [ "$(ulimit -Hn)" -ge 1024 ] || skip "too few descriptors" ;; esac
cd "$work" || exit 1

# start WHAT OPTION...: into the folder WHAT, its lines into WHAT.err. Nothing that is well is to
# fail by the clock of a loaded machine, so it has a minute.
declare -A started
start()
{
    local what=$1
    shift
    timeout 200 "$snag" collect --dir "$what" --timeout 1m "$@" >"$what.out" 2>"$what.err" </dev/null &
    started[$what]=$!
}
# ended WHAT STATUS: waits for it.
ended()
{
    local what=$1 expected=$2 status=0
    wait "${started[$what]}" || status=$?
    [ "$status" = "$expected" ] || fail "$what: status $status, not $expected: $(tail -n 3 "$what.err")"
    [ "$status" != 0 ] && [ -s "$what.out" ] && fail "$what: it failed and writes to stdout"
    [ "$status" = 0 ] && [ ! -s "$what.out" ] && fail "$what: how it went is not on stdout"
    cat "$what.out" >>"$what.err"
}
# collect WHAT STATUS OPTION...
collect()
{
    start "$1" "${@:3}"
    ended "$1" "$2"
}
says() { grep -qE -- "$2" "$1.err" || { fail "$1: no line like '$2'"; head -n 30 "$1.err"; }; }
files() { find "$1" -type f -path "${2-*}" 2>/dev/null | wc -l; }
soon() { until_true "$@" || fail "never: $*"; }
has_files() { [ "$(files "$1" "$2")" -ge "$3" ]; }
all_readable()
{
    local bad
    bad=$(find "$@" -type f -name '*.pb.gz' -print0 | xargs -0 -n 1 -P 4 sh -c \
        'go tool pprof -raw "$0" 2>&1 >/dev/null | grep -q . && echo "$0"')
    [ -z "$bad" ] || fail "pprof does not read $(echo "$bad" | head -n 3)"
}

# ---- the targets ----
# Real ones, at once, as each takes two seconds to begin; the forms of their addresses in turn.
listens=(127.0.0.1:0 '[::1]:0' "unix:$work/%p.sock" 127.0.0.1:0)
[ -e /proc/net/if_inet6 ] && grep -q '^0\{31\}1 ' /proc/net/if_inet6 || listens[1]=127.0.0.1:0
for ((i = 0; i < 20; i++)); do
    SNAG_LISTEN=${listens[i % 4]} timeout 300 "$programs/inventory_service" >"real.$i.log" 2>&1 </dev/null &
    services+=($!)
done
targets=()
for ((i = 0; i < 20; i++)); do
    soon grep -q ' listens on ' "real.$i.log"
    at=$(sed -n 's/^.* listens on //p' "real.$i.log")
    case $i in
    3 | 7) at=http://$at/ ;;
    11 | 15) at=localhost:${at##*:} ;;
    esac
    targets+=("real-$i=$at")
done
mkdir recorded
collect first 0 --once "${targets[0]}"
for profile in threads fds handles; do
    cp first/real-0/$profile/*.pb.gz recorded/$profile.pb.gz || fail "no $profile of one service"
done
[ "$(cat first.err | wc -l)" = 1 ] && [ "$(wc -l <first.out)" = 1 ] || fail "one line for one target that is well: $(cat first.err)"
says first '^20..-..-..T..:..:..Z 1 of 1 targets well, 0 failing, 3 profiles, [0-9.]+ KiB, [0-9.]+ s$'
go tool pprof -raw first/real-0/handles/*.pb.gz 2>&1 | grep -q leak_response || fail "it is not that service's profile"

# ---- two hundred, of which twenty fail in five ways ----
echo '<html>no profile</html>' >recorded/plain.bin
service many "$programs/http_targets" recorded good=140 close=10 chunked=10 \
    refuse=4 hang=4 plain.bin=4 truncated=4 endless=4
while read -r way at; do
    case $at in 127.0.0.1:*) targets+=("$way=$at") ;; esac
done < <(sed '/ listens on /d' many.log)
[ ${#targets[@]} = 200 ] || fail "${#targets[@]} targets"
start all --once --timeout 20s --max-bytes 1MiB "${targets[@]}" # looked at further below

# ---- what else may come ----
head -c 100000 /dev/urandom | gzip >recorded/garbage.bin
head -c 200000000 /dev/zero | gzip -1 >recorded/bomb.bin
head -c -9 recorded/threads.pb.gz >recorded/short.bin
{ cat recorded/threads.pb.gz; echo more; } >recorded/long.bin
: >recorded/empty.bin
service liars "$programs/http_targets" recorded silent=1 drip=1 reset=1 html=1 redirect=1 ssh=1 \
    garbage.bin=1 bomb.bin=1 short.bin=1 long.bin=1 empty.bin=1 good=1
liars=(no=no-such-name.invalid:80 "socket=unix:$work/none.sock")
while read -r way at; do liars+=("$way=$at"); done < <(sed '/ listens on /d' liars.log)
start lies --once --timeout 15s "${liars[@]}"
collect part 1 --once --profiles threads,nope,nada "good=$(sed -n 's/^good //p' liars.log)"
says part '^[^ ]+ good [^ ]+ nope, nada: answers 404: no such profile \(the others are stored\)$'
[ "$(files part)" = 1 ] || fail "the profile beside one that is not there is not stored"

# ---- names that would lead elsewhere; who shares a folder ----
good=$(sed -n 's/^good //p' liars.log)
other=$(sed -n 's/^good //p' many.log | head -n 1)
cat >names.json <<END
[ { "targets": ["$good"], "labels": { "job": "../../up" } },
  { "targets": ["$good"], "labels": { "job": "x", "service": "/etc/passwd" } },
  { "targets": ["$good"], "labels": { "service_name": "$(printf 'n%.0s' {1..300})" } },
  { "targets": ["$good", "$other", "nowhere", 7], "labels": { "job": "twins", "instance": "same" } },
  { "targets": ["$good"], "labels": { "job": "secret", "__scheme__": "https" } } ]
END
collect names 0 --once --profiles threads --file-sd names.json
says names ": left out: target 'nowhere': a port is missing, such as HOST:6060; target '.': it is no text; target '$good': __scheme__ is https, and only http is spoken$"
[ "$(find names -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | cut -c 1-20 | tr '\n' ' ')" = \
    "_._.._up _etc_passwd nnnnnnnnnnnnnnnnnnnn twins " ] || fail "folders: $(ls names)"
[ "$(files names '*/twins/*Z-same-????????.pb.gz')" = 2 ] || fail "two of one name are one: $(ls names/twins/threads)"
ln -s "$work" names/linked
collect names 1 --once --profiles threads linked="$good"
[ -e "$work/threads" ] && fail "it follows a link"
says names '(cannot write names/linked/threads: Not a directory|Too many levels)'

# ---- tokens, which no command line shows ----
SNAG_TOKEN=sesame service guarded "$programs/inventory_service"
collect token 1 --once --profiles threads "g=$address"
says token ' g [^ ]+ threads: answers 401: '
SNAG_TOKEN=sesame collect token 0 --once --profiles threads "g=$address"
printf '# of each\n%s sesame\nother wrong\n' "$address" >tokens
collect token 0 --once --profiles threads --token-file tokens "g=$address"

# ---- behind a port that is forwarded, the address dialled is none of the listener's ----
: >forward.log
python3 - "${address##*:}" >forward.log 2>&1 <<'END' &
import socket, sys, threading
def copy(source, sink):
    while data := source.recv(65536):
        sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)
outer = socket.create_server(("127.0.0.2", 0))
print("listens on 127.0.0.2:%d" % outer.getsockname()[1], flush=True)
outer.settimeout(120)
here, there = outer.accept()[0], socket.create_connection(("127.0.0.1", int(sys.argv[1])))
threading.Thread(target=copy, args=(here, there)).start()
copy(there, here)
END
services+=($!)
soon grep -q ' on ' forward.log
SNAG_TOKEN=sesame collect forward 0 --once --profiles threads "f=$(sed -n 's/^listens on //p' forward.log)"

# ---- another program at the same port ----
cp recorded/threads.pb.gz recorded/swapped.pb.gz
: >moved.err
"$snag" collect -d moved --interval 1s --profiles swapped "moved=$good" 2>moved.err &
services+=($!)
until_true has_files moved '*/moved/*' 1
"$snag" dump $$ threads -o other.pb.gz >/dev/null 2>&1 && mv other.pb.gz recorded/swapped.pb.gz
until_true grep -q "Z moved $good is another program now: bash, which was inventory_service\$" moved.err
kill -TERM "${services[-1]}"

# ---- a name that is known only later ----
if unshare -m true 2>/dev/null; then
    echo '127.0.0.1 localhost' >hosts && : >late.err
    unshare -m sh -c 'mount --bind hosts /etc/hosts && exec "$@"' - "$snag" collect -d late --interval 1s --profiles threads "late=late.test:${good##*:}" 2>late.err &
    services+=($!)
    until_true grep -q ' late .*(nothing stored' late.err
    echo '127.0.0.1 late.test' >>hosts
    until_true has_files late '*/late/*' 1
    kill -TERM "${services[-1]}"
fi

# ---- several collectors at once ----
for ((i = 0; i < 4; i++)); do
    "$snag" collect --dir together --once "${targets[@]:20:30}" >/dev/null 2>"together.$i" &
    together[i]=$!
done
for ((i = 0; i < 4; i++)); do
    wait "${together[i]}" && [ ! -s "together.$i" ] || fail "beside others: $(cat "together.$i")"
done
[ "$(files together)" = 360 ] || fail "of four collectors there are $(files together) files"

# ---- old ones, and too many ----
mkdir -p old/s/threads old/s/other old/gone/fds
touch old/s/threads/{20200101T000000Z,20200101T000000Z_2-a.b,29990101T000000Z}.pb.gz old/gone/fds/20200101T000000Z.pb.gz \
    old/s/threads/{20200101T000000Z.txt,notes.pb.gz,20200101T000000Zx.pb.gz,.20200101T000000Z.pb.gz} old/20200101T000000Z.pb.gz
touch -d '1 hour ago' old/s/threads/.20200101T000000Z.pb.gz.tmp
touch outside
ln -s ../../../outside old/s/threads/20200102T000000Z.pb.gz
mkdir elsewhere && touch elsewhere/20200101T000000Z.pb.gz && ln -s "$work/elsewhere" old/s/linked
collect old 0 --once --keep-age 1d --keep-size 0 "s=$good"
says old ' 3 old profiles removed, '
[ "$(ls -A old/s/threads | grep -v ^2.*Z.pb.gz | tr '\n' ' ')" = ".20200101T000000Z.pb.gz 20200101T000000Z.txt 20200101T000000Zx.pb.gz notes.pb.gz " ] ||
    fail "what is of others is gone, or what is ours is left: $(ls -A old/s/threads)"
[ -e old/gone ] && fail "an empty folder is left"
[ -e old/s/other ] && [ -e outside ] && [ -e elsewhere/20200101T000000Z.pb.gz ] && [ -e old/20200101T000000Z.pb.gz ] &&
    [ -L old/s/threads/20200102T000000Z.pb.gz ] && [ -e old/s/threads/29990101T000000Z.pb.gz ] || fail "more is gone than is old"
mkdir -p full/s/threads full/t/fds
for ((i = 1; i <= 6; i++)); do
    head -c 1000000 /dev/urandom >full/s/threads/2020010${i}T000000Z.pb.gz
    head -c 1000000 /dev/urandom >full/t/fds/2020010${i}T000001Z.pb.gz
done
sync full/*/*/*
collect full 0 --once --keep-age 0 --keep-size 4MiB "s=$good"
[ "$(find full -name '20200*' -printf '%f\n' | sort | tr '\n' ' ')" = \
    "20200105T000000Z.pb.gz 20200105T000001Z.pb.gz 20200106T000000Z.pb.gz 20200106T000001Z.pb.gz " ] || fail "not the oldest are removed: $(find full -type f)"
says full 'Z full holds no more than 4.0 MiB: profiles are removed when they are [0-9]+ d old \(--keep-size\)$'
# What cannot be removed costs no newer one its place.
if chattr +i full/s/threads/20200105T000000Z.pb.gz 2>/dev/null; then
    collect full 0 --once --keep-age 0 --keep-size 3500000 "s=$good"
    says full 'Z full: old profiles cannot be removed: Operation not permitted$'
    [ "$(find full -name '20200*' | wc -l)" = 4 ] || fail "a newer one went for one that cannot: $(find full -type f)"
    chattr -i full/s/threads/20200105T000000Z.pb.gz
fi

# ---- round after round: targets come and go, one dies and is well again ----
first=$(sed -n 's/^.* listens on //p' real.0.log)
second=$(sed -n 's/^.* listens on //p' real.4.log)
echo "[ { \"targets\": [\"$first\"], \"labels\": { \"job\": \"a\" } } ]" >sd.json
mkdir run
"$snag" collect -d run --interval 1s --timeout 3s --file-sd sd.json --keep-size 0 "b=$good" "dead=$(sed -n 's/^refuse //p' many.log | head -n 1)" 2>run.err &
collector=$!
services+=("$collector")
soon has_files run '*/a/*' 6
soon has_files run '*/b/*' 6
echo "[ { \"targets\": [\"$second\"], \"labels\": { \"jo" >sd.json # half of it
soon grep -q 'sd.json: it is no JSON: .*its targets stay as they were' run.err
before=$(files run '*/a/*')
soon has_files run '*/a/*' $((before + 3))
echo "[ { \"targets\": [\"$second\"], \"labels\": { \"job\": \"c\" } } ]" >sd.new && mv sd.new sd.json
soon grep -q ' 3 targets now: 1 added, 1 removed; [0-9]* well, [0-9]* failing$' run.err
soon has_files run '*/c/*' 6
before=$(files run '*/a/*')
now=$(files run '*/c/*')
soon has_files run '*/c/*' $((now + 6))
[ "$(files run '*/a/*')" = "$before" ] || fail "a target that was removed is asked"
touch run/b/threads/20200101T000000Z.pb.gz
is_gone() { [ ! -e "$1" ]; }
soon is_gone run/b/threads/20200101T000000Z.pb.gz
kill -HUP "$collector"
soon grep -q ' 3 targets now: 0 added, 0 removed; [0-9]* well, [0-9]* failing$' run.err
process=$(cat "/proc/${services[4]}/task/${services[4]}/children")
kill -STOP "${process%% *}"
soon grep -q "Z c $second .*: timed out after 3 s, .*(nothing stored)$" run.err
kill -CONT "${process%% *}"
soon grep -q "Z c $second is well again, after [0-9]* failures\? in a row$" run.err
failures=$(grep -c ' dead ' run.err)
[ "$failures" -ge 2 ] && [ "$failures" -le 10 ] || fail "a dead target costs $failures lines"
grep -qE ' dead .*\(nothing stored; (2|4) times in a row, since ' run.err || fail "how often is not told"
kill -TERM "$collector"
status=0
wait "$collector" || status=$?
[ "$status" = 0 ] || fail "SIGTERM: status $status"
says run 'Z ended by SIGTERM: [0-9]+ profiles, '
[ -z "$(find run -name '*.tmp')" ] || fail "a half file is left by SIGTERM"
[ "$(find run/b/threads -type f | wc -l)" -ge 3 ] || fail "too few rounds"

# ---- the two hundred, and what came of the lies ----
ended all 1
says all '^[^ ]+ 180 of 200 targets well, 20 failing, 540 profiles, '
[ "$(wc -l <all.err)" = 21 ] || { fail "not one line for each target that fails"; cat all.err; }
way()
{
    [ "$(grep -cE "^[^ ]+Z $1 127\.0\.0\.1:[0-9]+ threads, fds, handles: $2 \(nothing stored\)\$" all.err)" = 4 ] ||
        { fail "$1 is not told as '$2'"; grep " $1 " all.err; }
}
way refuse 'connection refused'
way hang 'timed out after 20 s, waiting for an answer'
way plain.bin 'is no gzip: it begins "<html>no profile"'
way truncated 'cut short: closed after [0-9]+ of [0-9]+ bytes'
way endless 'more than the 1048576 bytes allowed \(--max-bytes\)'
[ "$(files all)" = 540 ] || fail "$(files all) files"
for profile in threads fds handles; do
    [ "$(files all "*/$profile/*Z*.pb.gz")" = 180 ] || fail "$profile: not of 180 targets"
    [ "$(find all/good/$profile -name "*Z-127.0.0.1_*.pb.gz" | wc -l)" = 140 ] || fail "good/$profile: not of 140 instances"
    for file in all/{good,close,chunked}/$profile/*; do
        cmp -s "$file" recorded/$profile.pb.gz || fail "$file is not what was sent"
    done
done
all_readable all/real-* recorded
[ -z "$(find all \( -type d ! -perm 700 \) -o \( -type f ! -perm 600 \))" ] || fail "others can read it"
[ -z "$(find all -name '*.tmp')" ] || fail "half files are left"
ended lies 1
[ "$(wc -l <lies.err)" = 14 ] || { fail "not a line for each lie"; cat lies.err; }
says lies ' silent .*: timed out after 15 s, waiting for an answer '
says lies ' drip .*: timed out after 15 s, waiting for an answer '
says lies ' reset .*: (the connection broke: reset by the target|closed without an answer) '
says lies ' html .*: is of type text/html, which is no profile '
says lies ' redirect .*: answers 302: redirects are not followed '
says lies ' ssh .*: does not speak HTTP: it begins "SSH-2.0-'
says lies ' (garbage|bomb|short|long)\.bin .*: sent no whole profile: '
[ "$(grep -c 'sent no whole profile' lies.err)" = 4 ] || fail "what is in a gzip is not looked at"
says lies ' empty.bin .*: is empty '
says lies ' no no-such-name.invalid:80 .*: (no address for no-such-name.invalid|timed out after 15 s, looking its name up)'
says lies ' socket unix:.*: there is no such socket '
[ "$(files lies)" = 3 ] || fail "lies are stored: $(find lies -type f)"

# ---- killed at any moment: what has its name is whole ----
mkdir -m 700 killed
for ((i = 0; i < 15; i++)); do
    "$snag" collect -d killed --once "${targets[@]:20:100}" >/dev/null 2>&1 &
    victim=$!
    before=$(files killed 2>/dev/null)
    for ((j = 0; j < 1000; j++)); do
        [ "$(files killed 2>/dev/null)" -gt "$before" ] && break
        sleep 0.01
    done
    sleep "0.0$((RANDOM % 9))"
    kill -KILL "$victim" 2>/dev/null
    wait "$victim" 2>/dev/null
done
for file in killed/*/*/2*; do
    cmp -s "$file" "recorded/$(basename "$(dirname "$file")").pb.gz" || fail "$file is not whole"
done
[ "$(files killed)" -ge 15 ] || fail "too little was written to be killed in"
find killed -name '*.tmp' -exec touch -d '1 hour ago' {} +
collect killed 0 --once "s=$good"
[ -z "$(find killed -name '*.tmp')" ] || fail "half files of a killed one stay"

# ---- a full disk costs one line ----
# Under ThreadSanitizer nothing at all starts that may write no file.
if (ulimit -f 0 && exec "$snag" --version) 2>&1 | grep -q '^snag'; then
    (ulimit -f 0 && exec "$snag" collect -d disk --once "${targets[@]:20:5}") 2>&1 | cat >disk.err
    says disk 'Z cannot write disk/good/threads: File too large \(this profile and maybe others\)$'
    says disk 'Z 15 profiles could not be written$'
    [ "$(wc -l <disk.err)" = 3 ] || { fail "a full disk: not one line"; cat disk.err; }
    [ "$(files disk)" = 0 ] || fail "a full disk leaves half files"
fi

# ---- a terminal ----
script -qfec "exec $snag collect -d tty --interval 1s b=$good" tty.log >/dev/null </dev/null &
terminal=$!
services+=("$terminal")
has_progress()
{
    tr '\r' '\n' <tty.log | grep -qaE '^1 of 1 targets, 0 failing, [0-9]+ profiles, [0-9.]+ [KM]iB, (next in [01] s|asking 1)'
}
soon test -e tty.log
soon has_progress
kill -TERM "$(cat "/proc/$terminal/task/$terminal/children")"
wait "$terminal" || fail "on a terminal: status $?"
grep -qa 'Z ended by SIGTERM' tty.log || { fail "its last line is not for itself"; cat -v tty.log; }

# ---- the command line ----
[ "$("$snag" collect --help | wc -l)" -le 24 ] && "$snag" collect --help | awk 'length > 80 { exit 1 }' || fail "--help is no screen"
for wrong in "" "a:1" "--dir x" "--dir x --interval 0 a:1" "--dir x --keep-size 1X a:1" "--dir x --profiles ../x a:1" \
    "--dir x https://a:1" "--dir x a" "--dir x --nope a:1" "--dir x user:pw@a:1" "--dir x --push ftp://x a:1"; do
    status=0
    # shellcheck disable=SC2086  # words
    timeout 20 "$snag" collect $wrong >/dev/null 2>wrong.err </dev/null || status=$?
    [ "$status" = 2 ] || fail "'$wrong': status $status"
    [ -s wrong.err ] || fail "'$wrong': nothing is said"
done
[ -e x ] && rmdir x 2>/dev/null
exit $failed
