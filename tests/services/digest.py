#!/usr/bin/python3
"""digest.py: what the tests of services ask of the JSON pages.

  count                          how many threads or descriptors a page (stdin) lists
  fds                            a line for each descriptor: number, kind, state, own end,
                                 other end, opener's functions outermost first
  expect NAME FUNCTION... -- FILE...   see below
  same INSIDE OUTSIDE            two pages of threads say the same; what differs is printed
"""
import json
import re
import sys


def functions(frames):
    return [frame["function"] for frame in reversed(frames)]


def is_own(thread):
    return thread["thread"].startswith("snag")


def is_whole(thread):
    return not thread["capture"].startswith("partial")


def count():
    page = json.load(sys.stdin)
    items = page.get("threads", page.get("fds"))
    assert page["count"] == len(items)
    print(len(items))
    return 0


def fds():
    for fd in json.load(sys.stdin)["fds"]:
        opened = fd["opened"]
        words = [fd["fd"], fd["kind"], fd["state"] or "-", fd["local"] or fd["target"], fd["peer"] or "-",
                 " < ".join(functions(opened["frames"])) if opened else "unknown"]
        print(*words)
    return 0


def in_order(wanted, there):
    rest = iter(there)
    return all(any(re.fullmatch(pattern, name) for name in rest) for pattern in wanted)


def expect(arguments):
    """Every page has threads of that name; each whole stack of theirs has the functions in this
    order, outermost first; and not all were partial, over all pages."""
    middle = arguments.index("--")
    name, wanted, files = arguments[0], arguments[1:middle], arguments[middle + 1:]
    whole = 0
    for file in files:
        with open(file) as text:
            threads = [t for t in json.load(text)["threads"] if re.fullmatch(name, t["thread"])]
        if not threads:
            print(f"{file}: no thread is named {name}")
            return 1
        for thread in filter(is_whole, threads):
            whole += 1
            if not in_order(wanted, functions(thread["frames"])):
                print(f"{file}: {thread['thread']} {thread['tid']} is in", *functions(thread["frames"]), "not in", *wanted)
                return 1
    if whole == 0:
        print(f"no whole stack of {name} in {len(files)} dumps")
    return 0 if whole else 1


def stack(thread):
    """Functions, and the callers' addresses: a thread that was asked by signal is about to make its
    system call once more, one that was not is behind it."""
    frames = thread["frames"]
    return [(f["function"], f["address"] if f["address"] != frames[0]["address"] else "") for f in frames]


def stacks(file):
    with open(file) as text:
        return {t["tid"]: stack(t) for t in json.load(text)["threads"] if not is_own(t)}


def same(inside, outside):
    first, second = stacks(inside), stacks(outside)
    for tid in sorted(first.keys() | second.keys()):
        if first.get(tid) != second.get(tid):
            print(f"thread {tid}\n  inside {first.get(tid)}\n  outside {second.get(tid)}")
    return 0 if first == second and first else 1


def main():
    what, rest = sys.argv[1], sys.argv[2:]
    return {"count": lambda: count(), "fds": lambda: fds(), "expect": lambda: expect(rest),
            "same": lambda: same(*rest)}[what]()


sys.exit(main())
