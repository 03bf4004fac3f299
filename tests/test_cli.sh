#!/usr/bin/env bash
# test_cli.sh proves the manners of the command: each --help fits a screen; a mistake is told on
# stderr, with the word that was meant; output that is lost is a failure; colours are for terminals
# alone. Man pages are without a fault, say the options that --help says and no others, and their
# examples run. Completion knows the same options, values and processes. All of it is installed.
set -u
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || { echo "skipped: a sanitizer build is not installed"; exit 77; }
work=$(mktemp -d)
jobs=()
finish()
{
    [ ${#jobs[@]} -eq 0 ] || kill "${jobs[@]}" 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT
unset SNAG_LISTEN SNAG_TOKEN SNAG_SIGNAL NO_COLOR CLICOLOR_FORCE
export LC_ALL=C.UTF-8 TERM=xterm TMPDIR=$work/tmp
mkdir "$TMPDIR"

failed=0
fail()
{
    echo "FAILED: $*"
    failed=1
}

prefix=$work/prefix
cmake --install "$SNAG_BUILD" --prefix "$prefix" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
PATH=$prefix/bin:$PATH
commands=$(snag --help | sed -n 's/^  \([a-z]*\) .*/\1/p' | grep -vx help)
[ "$(wc -w <<<"$commands")" -ge 3 ] || fail "commands of --help: $commands"
# Each with what follows `snag`.
subjects=$(printf '%s\n' $commands; [[ $commands != *collect* ]] || echo "collect diff")

# ---- help and mistakes ----

# shown WHAT ARGUMENT...: exit status 0, on stdout alone, on a screen.
shown()
{
    local what=$1
    shift
    snag "$@" >"$work/out" 2>"$work/err" </dev/null || fail "$what: status $?"
    [ ! -s "$work/err" ] || fail "$what: something on stderr"
    [ "$(wc -l <"$work/out")" -le 24 ] || fail "$what: $(wc -l <"$work/out") lines"
    [ "$(wc -L <"$work/out")" -le 80 ] || fail "$what: $(wc -L <"$work/out") columns"
    grep -q '^Usage: snag' "$work/out" || fail "$what: no usage"
}

# mistaken PATTERN ARGUMENT...: exit status 2, and only stderr, where PATTERN is.
mistaken()
{
    local pattern=$1 status
    shift
    snag "$@" >"$work/out" 2>"$work/err" </dev/null
    status=$?
    [ $status -eq 2 ] || fail "snag $*: status $status"
    [ ! -s "$work/out" ] || fail "snag $*: something on stdout"
    grep -q -e "$pattern" "$work/err" || fail "snag $*: $(cat "$work/err")"
}

shown "--help" --help
shown "help" help
while read -r subject; do
    # shellcheck disable=SC2086  # words
    shown "$subject --help" $subject --help
    grep -q "^Usage: snag $subject" "$work/out" || fail "$subject --help: whose usage?"
    mistaken "no option of it" $subject --surely-not
done <<<"$subjects"
for command in $commands; do
    [ "$(snag help "$command")" = "$(snag "$command" --help)" ] || fail "help $command"
    typed=${command:1:1}${command:0:1}${command:2} # two letters exchanged
    mistaken "^snag: there is no command '$typed'; did you mean '$command'?\$" "$typed"
done
mistaken "^Usage: snag COMMAND"
mistaken "did you mean 'dump'" help dmup
mistaken "did you mean '--version'" --verison
mistaken "no command 'zebra'; snag --help says" zebra
mistaken "no option '-V'" -V
mistaken "did you mean --listen?" run --lsten 127.0.0.1:0 true
mistaken "did you mean --exit-code?" run --exit-cod=3 true
mistaken "did you mean --timeout?" check --time 5
version=$(sed -n 's/^#define SNAG_VERSION "\(.*\)"/\1/p' "$SNAG_SOURCE/include/snag/snag.h")
[ "$(snag --version)" = "snag $version" ] || fail "--version: $(snag --version)"

# ---- a service, and a project with a mistake ----

mkdir -p "$work/desk/src" "$work/desk/build"
cd "$work/desk" || exit 1
cat >src/shop.c <<'END'
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int ends[2];

static void *wait_for_customer(void *unused)
{
    char byte;
    return read(ends[0], &byte, 1) == 1 ? unused : NULL;
}

int count_lines(const char *path)
{
    int lines = 0, c;
    FILE *file = fopen(path, "r");
    if (!file)
        return -1;
    while ((c = getc(file)) != EOF)
        if (c == 0)
            return -1; /* forgets to close */
        else
            lines += c == '\n';
    fclose(file);
    return lines;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    if (strstr(argv[argc - 1], "_test"))
        return count_lines("/dev/null");
    if (pipe(ends) || pthread_create(&thread, NULL, wait_for_customer, NULL))
        return 1;
    return pthread_join(thread, NULL);
}
END
cc -g -pthread -o shop src/shop.c || { fail "cc"; exit 1; }
cp shop shop_test
printf '[{"directory": "%s", "file": "src/shop.c", "command": "cc -c src/shop.c"}]' "$PWD" \
    >build/compile_commands.json
./shop &
shop=$!
jobs+=("$shop")

# ---- output that is lost ----

# lost ARGUMENT...: a full disk is a failure, told once.
lost()
{
    local status
    snag "$@" >/dev/full 2>"$work/err" </dev/null
    status=$?
    [ $status -eq 1 ] || fail "snag $* >/dev/full: status $status"
    [ "$(grep -c 'No space left' "$work/err")" -eq 1 ] || fail "snag $*: $(cat "$work/err")"
}
lost --help
lost --version
while read -r subject; do
    # shellcheck disable=SC2086
    lost $subject --help
done <<<"$subjects"
lost dump "$shop"
lost check -p build
snag --help >&- 2>"$work/err"
[ $? -eq 1 ] && grep -q 'Bad file descriptor' "$work/err" || fail "a closed stdout"
# What is opened does not take its place, and a program that is run finds it closed.
snag dump "$shop" -o shop.pb.gz >&- 2>"$work/err" <&- || fail "a dump without stdout: $(cat "$work/err")"
gzip -t shop.pb.gz || fail "a dump without stdout is no profile"
lost collect diff shop.pb.gz shop.pb.gz
snag run --no-fds ls /proc/self/fd >&- 2>"$work/err"
grep -q 'Bad file descriptor' "$work/err" || fail "snag run without stdout: $(cat "$work/err")"

# quiet ARGUMENT...: where the reader has gone nothing is said, whether SIGPIPE ends us or not.
quiet()
{
    exec 3> >(exec true)
    wait $!
    snag "$@" >&3 2>"$work/err" && fail "snag $* for a reader that has gone: status 0"
    (trap '' PIPE; snag "$@") >&3 2>>"$work/err" && fail "snag $* without SIGPIPE: status 0"
    exec 3>&-
    [ ! -s "$work/err" ] || fail "snag $* for a reader that has gone: $(cat "$work/err")"
}
quiet --help
quiet dump "$shop"
quiet check -p build
quiet collect diff shop.pb.gz shop.pb.gz
[ -z "$(ls "$TMPDIR")" ] || fail "check leaves $(ls "$TMPDIR") behind"

# ---- colours ----

escape=$(printf '\33')
# on_terminal COMMAND: its output, carriage returns left out.
on_terminal()
{
    script -qec "$1" /dev/null </dev/null | tr -d '\r'
}
plain=$(snag check -p build)
[ -n "$plain" ] || fail "check finds nothing"
[[ $plain != *"$escape"* ]] || fail "colours in a pipe"
coloured=$(on_terminal "snag check -p build 2>/dev/null")
[[ $coloured == *"$escape["*warning* ]] || fail "no colours on a terminal"
[ "$(sed "s/$escape\[[0-9;]*m//g" <<<"$coloured")" = "$plain" ] || fail "another text in colours"
[[ $(NO_COLOR=1 on_terminal "snag check -p build") != *"$escape"* ]] || fail "NO_COLOR"
[[ $(TERM=dumb on_terminal "snag check -p build") != *"$escape"* ]] || fail "TERM=dumb"
[[ $(CLICOLOR_FORCE=1 snag check -p build) == *"$escape"* ]] || fail "CLICOLOR_FORCE"
[[ $(snag zebra 2>&1) != *"$escape"* ]] || fail "colours of an error in a pipe"
[[ $(on_terminal "snag zebra") == *"$escape"* ]] || fail "an error is plain on a terminal"

# ---- man pages ----

# page_of WORD...: the file of the page.
page_of()
{
    local name="snag $*"
    name=${name/ collect diff/ collect}
    echo "$prefix/share/man/man1/${name// /-}.1"
}

# Options at the beginning of lines, those of an entry behind commas, too.
options_in()
{
    sed -n 's/^ *\(-[-a-z].*\)/\1/p' | sed 's/  .*//' | grep -oE '(^|[ ,])--?[a-z][-a-z]*' | tr -d ' ,' | sort -u
}

options_of_help() # WORD...
{
    snag "$@" --help | grep '^  -' | options_in | grep -vxE -- '-h|--help'
}

# Entries of the page, outside the synopsis: five columns in.
options_of_page() # FILE
{
    mandoc -T ascii "$1" | col -bx | sed '/^SYNOPSIS/,/^DESCRIPTION/d' | grep '^     -' |
        options_in | grep -vxE -- '-h|--help'
}

pages=("$prefix"/share/man/man1/snag*.1 "$prefix"/share/man/man3/snag*.3)
for page in "${pages[@]}"; do
    name=${page##*/}
    if grep -q '^\.so ' "$page"; then # another name of one of them
        [[ $(MANPATH=$prefix/share/man man 3 "${name%.3}" | head -n 1) == SNAG_START* ]] || fail "man $name"
        continue
    fi
    mandoc -T lint -W warning "$page" >"$work/lint" 2>/dev/null || { fail "mandoc, $name:"; cat "$work/lint"; }
    groff -mandoc -ww -Tutf8 "$page" >/dev/null 2>"$work/lint"
    [ ! -s "$work/lint" ] || { fail "groff, $name:"; cat "$work/lint"; }
    MANWIDTH=80 man --warnings -l "$page" >"$work/page" 2>"$work/lint" || fail "man $name"
    [ ! -s "$work/lint" ] || { fail "man, $name:"; cat "$work/lint"; }
    [ "$(wc -L <"$work/page")" -le 80 ] || fail "$name: $(wc -L <"$work/page") columns"
    [[ $(tail -n 1 "$work/page") == "snag $version"* ]] || fail "$name is of another version"
    sections='NAME SYNOPSIS DESCRIPTION ENVIRONMENT EXAMPLES'
    [[ $name == *.3 ]] || sections+=' EXIT.STATUS'
    for section in $sections SEE.ALSO; do
        grep -q "^$section\$" "$work/page" || fail "$name has no ${section/./ }"
    done
    grep -oE 'snag[-a-z_]*\([0-9]\)' "$work/page" | sort -u | while read -r other; do
        other=${other%)} # "snag-run(1"
        [ -e "$prefix/share/man/man${other#*(}/${other%(*}.${other#*(}" ] || echo "$other)"
    done >"$work/lost"
    [ ! -s "$work/lost" ] || fail "$name refers to $(cat "$work/lost")"
done
[[ $(MANPATH=$prefix/share/man man snag run | head -n 1) == SNAG-RUN* ]] || fail "man snag run"
for command in $commands; do
    page=$(page_of "$command")
    [ -e "$page" ] || { fail "$command has no page"; continue; }
    helps=$(grep -E "^($command|$command .*)\$" <<<"$subjects" | while read -r subject; do
        # shellcheck disable=SC2086
        options_of_help $subject
    done | sort -u)
    diff <(echo "$helps") <(options_of_page "$page") >"$work/diff" ||
        { fail "$command: options of --help (<) and of the page (>)"; cat "$work/diff"; }
done

# ---- their examples ----

address=127.77.$((BASHPID / 250 % 250 + 1)).$((BASHPID % 250 + 1)):6060

background=
end_background()
{
    [ -z "$background" ] || { kill "$background"; wait "$background" 2>/dev/null; }
    background=
}

# example LINE: runs it; what goes to the background must come so far that it listens.
example()
{
    local line=$1 status
    if [[ $line == *' &' ]]; then
        end_background
        : >"$work/shop.log"
        eval "exec ${line% &}" >"$work/shop.log" 2>&1 &
        background=$!
        jobs+=("$background")
        for ((i = 0; i < 600; i++)); do
            grep -q ' listens on ' "$work/shop.log" && return
            sleep 0.1
        done
        fail "example '$line': $(cat "$work/shop.log")"
        return
    fi
    # shellcheck disable=SC2016  # the words of the page
    line=${line//'$(pidof shop)'/${background:-$shop}}
    timeout 60 bash -o pipefail -c "$line" >"$work/out" 2>"$work/err" </dev/null
    status=$?
    [ $status -eq 0 ] || [[ $status -eq 1 && $line == 'snag check'* ]] ||
        fail "example '$line': status $status: $(cat "$work/err")"
}

ran=0
for page in "$prefix"/share/man/man1/snag*.1; do
    while read -r line; do
        example "${line//127.0.0.1:6060/$address}"
        ran=$((ran + 1))
    done < <(mandoc -T ascii -O width=200 "$page" | col -bx | sed -n '/^EXAMPLES/,/^SEE/s/^ *\$ //p')
    end_background
done
echo "$ran examples of the pages"
[ "$ran" -ge 10 ] || fail "only $ran examples"

# ---- completion ----

completion=$prefix/share/bash-completion/completions/snag
# completed WORD...: what a TAB at the end of these words gives, in a shell without bash-completion.
completed()
{
    bash --norc -c '. "$1"
        shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=9
        COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
        [[ $(complete -p snag) == "complete -F _snag snag" ]] && _snag snag "${!#}" "${*: -2:1}"
        printf "%s\n" "${COMPREPLY[@]}"' bash "$completion" "$@" 2>"$work/err" | sort
    [ ! -s "$work/err" ] || fail "completion of '$*': $(cat "$work/err")"
}
# completes EXPECTED WORD...
completes()
{
    local expected=$1
    shift
    [ "$(completed "$@" | tr '\n' ' ')" = "$expected " ] || fail "'$*' completes to $(completed "$@" | tr '\n' ' ')"
}
diff <(printf '%s\n' $commands help | sort) <(completed snag '') >/dev/null || fail "completion of commands"
while read -r subject; do
    # shellcheck disable=SC2086
    diff <(options_of_help $subject) <(completed snag $subject -) >"$work/diff" ||
        { fail "$subject: options of --help (<) and completion (>)"; cat "$work/diff"; }
done <<<"$subjects"
completes 'dump' snag du
completes 'check' snag help ch
completes "$shop" snag dump "$shop"
completed snag dump sho | grep -q "^$shop" || fail "a process by its name"
completed snag dump '' | grep -q "^$shop (shop)\$" || fail "processes with their names"
completes 'fds' snag dump "$shop" f
completes '--listen' snag run --li
completes 'unix:' snag run --listen u
completes '6060-6079' snag run --listen = 127.0.0.1 : 60
completes 'src' snag check -p s
completes 'src/shop.c' snag check -p build src/s
completes 'gcc,clang gcc,cppcheck' snag check --only = gcc,c
completes 'build' snag check --resources b
completes 'shop_test' snag run --no-fds true shop_

# typed KEYS: what a shell shows that has these keys pressed, and knows the installed files.
typed()
{
    printf '%b' "$1\nexit\n" | timeout 60 script -qec "bash --noprofile --rcfile $work/rc -i" /dev/null | tr -d '\r'
}
echo ". $completion" >"$work/rc"
[[ $(typed 'snag --vers\t') == *"snag $version"* ]] || fail "TAB in a shell"
[[ $(typed 'snag he\tche\t') == *"Usage: snag check"* ]] || fail "two TABs in a shell"
[[ $(typed 'snag ru\t./shop_t\t') != *rror* ]] || fail "a program in this directory"
if [ -e /usr/share/bash-completion/bash_completion ]; then
    echo "XDG_DATA_DIRS=$prefix/share; . /usr/share/bash-completion/bash_completion" >"$work/rc"
    [[ $(typed 'snag --vers\t') == *"snag $version"* ]] || fail "TAB with bash-completion"
    [[ $(typed 'snag run ls /etc/passw\t\t') == */etc/passwd* ]] || fail "a command line within"
fi
exit "$failed"
