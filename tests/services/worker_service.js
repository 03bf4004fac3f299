// worker_service.js PORT: an HTTP service whose requests are answered by two worker threads, which
// also put libuv's pool to work. SIGTERM ends it, with status 3.
'use strict';
const http = require('http');
const zlib = require('zlib');
const { Worker, isMainThread, parentPort } = require('worker_threads');

function answer({ id, path }) {
    zlib.gzip(`answer to ${path}\n`, (error, packed) => {
        if (error) throw error;
        parentPort.postMessage({ id, text: zlib.gunzipSync(packed).toString() });
    });
}

function serve(port) {
    const waiting = new Map();
    let next = 0;
    const workers = [0, 1].map(() => {
        const worker = new Worker(__filename);
        worker.on('message', ({ id, text }) => {
            waiting.get(id).end(text);
            waiting.delete(id);
        });
        return worker;
    });
    const server = http.createServer((request, response) => {
        const id = next++;
        waiting.set(id, response);
        workers[id % workers.length].postMessage({ id, path: request.url });
    });
    server.listen(port, '127.0.0.1');
    process.on('SIGTERM', () => {
        console.log('answered', next);
        process.exit(3);
    });
}

if (isMainThread) serve(Number(process.argv[2]));
else parentPort.on('message', answer);
