#!/usr/bin/env bash
# `snag check` as a command: its answers, its statuses, the project's own resources, SARIF; and
# snag/annotate.h with both compilers, in C and C++.
set -u
snag=$SNAG_BUILD/src/snag
command -v clang >/dev/null || { echo "no clang: skipped"; exit 77; }
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory" || exit 1
export TMPDIR=$directory/tmp
mkdir tmp project
failures=0

fail()
{
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# STATUS WHAT ARGUMENT...: runs `snag check` and keeps what it wrote.
check()
{
    local wanted=$1 what=$2 status=0
    shift 2
    timeout 120 "$snag" check "$@" >out 2>err || status=$?
    [ "$status" = "$wanted" ] || { fail "$what: status $status, not $wanted"; cat out err; }
}

says()
{
    grep -qF -- "$2" "$1" || { fail "no '$2' in $1:"; cat "$1"; }
}

cat >project/leak.c <<'EOF'
#include <stdio.h>
int empty(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return -1;
    if (fgetc(file) == EOF)
        return 1;
    fclose(file);
    return 0;
}
EOF
sed 's,return 1;,return 1; // snag: ignore,' project/leak.c >project/silenced.c
cat >project/own.c <<'EOF'
struct lock;
struct lock *lock_take(int number);
void lock_drop(int why, struct lock *lock);
int ask(int number);
int guarded(int number)
{
    struct lock *lock = lock_take(number);
    if (!lock)
        return -1;
    if (ask(number) < 0)
        return -2;
    lock_drop(0, lock);
    return 0;
}
EOF
cat >project/compile_commands.json <<EOF
[{"directory": "$directory/project", "file": "leak.c", "arguments": ["cc", "-std=c11", "-c", "leak.c"]},
 {"directory": "$directory/project", "file": "silenced.c", "command": "cc -DTEXT=\"a \\\\\"b\\\\\"\" -c silenced.c"},
 {"directory": "$directory/project", "file": "own.c", "command": "cc -c own.c"}]
EOF

# what it says
check 1 "a leak" -p project
says out "project/leak.c:8: warning: 'file' from fopen() is not released on this path [snag-leak]"
[ "$(grep -c warning: out)" = 1 ] || { fail "not one warning"; cat out; }
for tool in clang gcc cppcheck spatch; do
    command -v $tool >/dev/null || continue
    check 1 "by $tool alone" -p project --only $tool project/leak.c
    says out "'file' from fopen() is not released on this path [snag-leak]"
done
check 0 "a silenced line" -p project project/silenced.c
[ ! -s out ] || fail "a silenced line is told of"
check 1 "a directory" -p project project
[ -z "$(ls tmp)" ] || fail "left behind: $(ls tmp)"

# SARIF
check 1 "SARIF" -p project --sarif project/leak.c
if command -v node >/dev/null; then
    node -e '
        const log = JSON.parse(require("fs").readFileSync("out", "utf8")), run = log.runs[0];
        const result = run.results[0], rule = run.tool.driver.rules[result.ruleIndex];
        const place = result.locations[0].physicalLocation;
        const good = log.version === "2.1.0" && run.results.length === 1 && rule.id === "snag-leak" &&
            result.ruleId === rule.id && place.region.startLine === 8 &&
            place.artifactLocation.uri.startsWith("file:///") &&
            place.artifactLocation.uri.endsWith("/project/leak.c") && result.message.text.length > 0;
        process.exit(good ? 0 : 1);' || { fail "SARIF"; cat out; }
fi

# the project's own resources
check 0 "a resource that nobody told of" -p project project/own.c
echo 'make lock_take return NULL lock_drop:2' >rows
check 1 "a row of a file" -p project --resources rows project/own.c
says out "project/own.c:11: warning: 'lock' from lock_take() is not released on this path [snag-leak]"
cp rows project/.snag-resources
check 1 "a row beside the database" -p project project/own.c
printf '# mine\nmake lock_take return maybe lock_drop:2\n' >rows
check 2 "a wrong row" -p project --resources rows
says err "rows:2: FAILS is NULL"

# misuse
check 2 "no database" -p tmp
says err "cannot read 'tmp/compile_commands.json'"
check 2 "an unknown option" --what
check 2 "an unknown tool" -p project --only lint
check 2 "an unknown file" -p project /etc/passwd
check 0 "help" --help
[ "$(awk 'length > 80' out | wc -l)" = 0 ] && [ "$(wc -l <out)" -le 24 ] || fail "help is larger than a terminal"

# analyzers that are not there
mkdir few none
ln -s "$(command -v clang)" few/clang
status=0
PATH=$directory/few "$snag" check -p project project/leak.c >out 2>err || status=$?
[ "$status" = 1 ] || fail "clang alone on the path: status $status"
[ "$(grep -c 'not installed' err)" = 1 ] || fail "not one line on what is missing"
says err "gcc, cppcheck, spatch"
status=0
PATH=$directory/none "$snag" check -p project >out 2>err || status=$?
[ "$status" = 2 ] || fail "no analyzer on the path: status $status"

# annotate.h: nothing to warn of, and what it is for
cat >annotated.c <<'EOF'
#include <snag/annotate.h>
#include <fcntl.h>
struct thing { int n; };
static int dropped;
static void thing_drop(struct thing *thing) { dropped++; free(thing); }
static struct thing *thing_new(int n) SNAG_RELEASED_BY(thing_drop, 1);
static struct thing *thing_new(int n)
{
    struct thing *thing = (struct thing *)malloc(sizeof *thing);
    if (thing)
        thing->n = n;
    return thing;
}
SNAG_SCOPE(thing_drop, struct thing *, NULL)
static int scoped(int early)
{
    struct thing *thing SNAG_SCOPED(thing_drop) = thing_new(early);
    char *text SNAG_SCOPED(free) = (char *)malloc(10);
    int fd SNAG_SCOPED(close) = open("/dev/null", O_RDONLY);
    if (early || !thing || !text)
        return fd;
    return fd;
}
static struct thing *taken(void)
{
    struct thing *thing SNAG_SCOPED(thing_drop) = thing_new(1);
    return SNAG_TAKE(thing, NULL);
}
int main(void)
{
    int first = scoped(0), second = scoped(1), count = dropped;
    struct thing *thing = taken();
    int kept = dropped == count && thing && thing->n == 1;
    thing_drop(thing);
    return kept && first == second && count == 2 ? 0 : 1;
}
EOF
cp annotated.c annotated.cc
for compiler in "gcc -std=gnu11" "clang -std=gnu11" "g++ -std=c++17" "clang++ -std=c++17"; do
    source=annotated.c
    case $compiler in *++*) source=annotated.cc ;; esac
    $compiler -Wall -Wextra -Wpedantic -Werror -I"$SNAG_SOURCE/include" -o annotated $source &&
        ./annotated || fail "annotate.h with $compiler"
done
cat >lost.c <<'EOF'
#include <snag/annotate.h>
struct thing;
void thing_drop(struct thing *thing);
struct thing *thing_new(void) SNAG_RELEASED_BY(thing_drop, 1);
int lost(int early);
int lost(int early)
{
    struct thing *thing = thing_new();
    if (early)
        return 1;
    thing_drop(thing);
    return 0;
}
EOF
gcc -fanalyzer -I"$SNAG_SOURCE/include" -c lost.c -o lost.o 2>err
says err "leak of"

[ $failures = 0 ]
