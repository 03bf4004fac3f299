#!/bin/sh
# Writes OUTPUT, a C table of system call numbers and names, from the headers
# of the compiler's own target: [__NR_read] = "read", ...
# Usage: syscall-names.sh COMPILER OUTPUT
set -eu
printf '#include <asm/unistd.h>\n' | "$1" -E -dM - |
    sed -n 's/^#define __NR_\([a-z0-9_]*\) .*/\1/p' |
    grep -v -e '^syscalls$' -e '^arch_specific_syscall$' | sort |
    sed 's/.*/[__NR_&] = "&",/' >"$2.tmp"
[ -s "$2.tmp" ] || { echo "syscall-names.sh: no system call found in <asm/unistd.h>" >&2; exit 1; }
mv "$2.tmp" "$2"
