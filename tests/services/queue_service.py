#!/usr/bin/python3
"""queue_service.py PORT: a service with threads: one for each connection, which hands its requests
by a queue to one of four workers, which share a lock. SIGTERM ends it, with status 3."""
import http.server
import queue
import signal
import sys
import threading

jobs = queue.Queue()
lock = threading.Lock()
answered = 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        done = queue.Queue()
        jobs.put((self.path, done))
        body = done.get().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def work():
    global answered
    while True:
        path, done = jobs.get()
        with lock:
            answered += 1
        done.put(f"answer to {path}\n")


for number in range(4):
    threading.Thread(target=work, daemon=True).start()
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
server.daemon_threads = True
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever(poll_interval=0.1)
print("answered", answered)
sys.exit(3)
