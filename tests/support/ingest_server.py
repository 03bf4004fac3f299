#!/usr/bin/env python3
"""ingest_server.py: what a Pyroscope server does with POST /ingest, as strictly, for tests.

    ingest_server.py DIRECTORY [OPTION...]

Prints "ingest_server listens on 127.0.0.1:PORT". The query and the form are parsed by the rules of Pyroscope's
ingest handler and label parser, the profile must be gzip'd, and each that is taken is kept in
DIRECTORY as NUMBER.pb.gz beside NUMBER.json, which says what came with it. What is wrong is answered with
400 and kept in DIRECTORY/refused. A line for each connection goes to DIRECTORY/connections.

The file DIRECTORY/answer, when there, makes it ill: a status ("503", "429", "400"), "close" (the
connection ends without an answer), "hang", "garbage" (no HTTP) or "bye" (200, then closed).
"""
import gzip
import json
import os
import re
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

directory = sys.argv[1]
wanted = dict(option.split("=", 1) for option in sys.argv[2:])
lock = threading.Lock()
count = 0


class Wrong(Exception):
    pass


def labels_of(name):
    """labelset.Parse: SERVICE{name=value,...}"""
    match = re.fullmatch(r"([-A-Za-z0-9_./]+)\{(.*)\}", name, re.S)
    if not match:
        raise Wrong(f"name: {name!r}")
    labels = {}
    for pair in match[2].split(",") if match[2] else []:
        key, equals, value = pair.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key) or key.startswith("__"):
            raise Wrong(f"label: {pair!r}")
        if "}" in value or not value:
            raise Wrong(f"value: {pair!r}")
        if key in labels:
            raise Wrong(f"label twice: {key}")
        labels[key] = value
    return match[1], labels


def parts_of(content_type, body):
    """RFC 2046 to the letter: CRLF everywhere, nothing before or after."""
    match = re.fullmatch(r"multipart/form-data; boundary=([-A-Za-z0-9]{1,70})", content_type)
    if not match:
        raise Wrong(f"content type: {content_type!r}")
    edge = b"--" + match[1].encode()
    if not body.startswith(edge + b"\r\n") or not body.endswith(b"\r\n" + edge + b"--\r\n"):
        raise Wrong("the form's edges")
    parts = {}
    inner = body[len(edge) + 2 : -len(edge) - 6]
    for part in inner.split(b"\r\n" + edge + b"\r\n"):
        head, separator, content = part.partition(b"\r\n\r\n")
        match = re.match(rb'Content-Disposition: form-data; name="(\w+)"; filename="[\w.]+"\r\n', head + b"\r\n")
        if not separator or not match or match[1].decode() in parts:
            raise Wrong(f"part: {head!r}")
        parts[match[1].decode()] = content
    return parts


def check_header(headers, name):
    value = wanted.get(name)
    if headers.get(name) != value:
        raise Wrong(f"{name}: {headers.get(name)!r} and not {value!r}")


def take(handler, body):
    url = urlsplit(handler.path)
    query = parse_qs(url.query, strict_parsing=True)
    if url.path != wanted.get("path", "/ingest"):
        raise Wrong(f"path: {url.path}")
    if sorted(query) != ["from", "name", "spyName", "until"]:
        raise Wrong(f"query: {sorted(query)}")  # with format=pprof, a form would be taken for the profile
    service, labels = labels_of(query["name"][0])
    start, end = int(query["from"][0]), int(query["until"][0])
    if not 1_000_000_000 < start <= end < time.time() + 60:
        raise Wrong(f"from {start} until {end}")
    for name in ("Authorization", "X-Scope-OrgID"):
        check_header(handler.headers, name)
    parts = parts_of(handler.headers["Content-Type"], body)
    if sorted(parts) != ["profile", "sample_type_config"]:
        raise Wrong(f"parts: {sorted(parts)}")
    types = json.loads(parts["sample_type_config"])
    for config in types.values():
        if set(config) != {"units", "display-name", "aggregation", "cumulative", "sampled"}:
            raise Wrong(f"sample_type_config: {config}")
    gzip.decompress(parts["profile"])
    return parts["profile"], {"service": service, "labels": labels, "from": start, "until": end, "types": types}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def setup(self):
        super().setup()
        with lock, open(f"{directory}/connections", "a") as file:
            file.write("connection\n")

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def illness(self):
        try:
            with open(f"{directory}/answer") as file:
                return file.read().strip()
        except FileNotFoundError:
            return ""

    def do_POST(self):
        global count
        body = self.rfile.read(int(self.headers["Content-Length"]))
        illness = self.illness()
        with lock, open(f"{directory}/requests", "a") as file:
            file.write(f"{illness}\n")
        if illness.isdigit():
            return self.answer(int(illness), f"told to say {illness}\n")
        if illness in ("close", "hang", "garbage"):
            self.close_connection = True
            if illness == "hang":
                time.sleep(600)
            if illness == "garbage":
                self.wfile.write(b"\0\1 this is not HTTP\r\n\r\n" * 3)
            return
        try:
            profile, facts = take(self, body)
        except Exception as wrong:  # whatever the client did wrong, it is told
            with lock, open(f"{directory}/refused", "a") as file:
                file.write(f"{wrong!r}\n")
            return self.answer(400, repr(wrong))
        with lock:
            count += 1
            with open(f"{directory}/{count}.pb.gz", "wb") as file:
                file.write(profile)
            with open(f"{directory}/{count}.json", "w") as file:
                json.dump(facts, file)
        self.answer(200, "")
        if illness == "bye":  # closed later, while it is kept alive
            self.close_connection = True


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


with Server(("127.0.0.1", int(wanted.get("port", 0))), Handler) as server:
    print(f"ingest_server listens on 127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()
