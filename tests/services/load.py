#!/usr/bin/python3
"""load.py PORT REQUESTS CONNECTIONS: asks a service of ours, and fails unless each answer is right.

Each connection is kept and asks for a path of its own each time; "answer to PATH" must come back.
"""
import http.client
import sys
import threading

port, requests, connections = map(int, sys.argv[1:])
wrong = []


def ask(number):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for i in range(requests // connections):
            path = f"/{number}/{i}"
            connection.request("GET", path)
            reply = connection.getresponse()
            body = reply.read().decode()
            if reply.status != 200 or body != f"answer to {path}\n":
                raise ValueError(f"{reply.status} {body!r} for {path}")
        connection.close()
    except Exception as problem:  # whatever it is, it is counted
        wrong.append(f"connection {number}: {problem!r}")


threads = [threading.Thread(target=ask, args=(i,)) for i in range(connections)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("\n".join(wrong) or f"{requests} answers were right")
sys.exit(1 if wrong else 0)
