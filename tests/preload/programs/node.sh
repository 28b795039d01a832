#!/bin/bash
# node: a JIT with a heap of its own, buffers outside of it, threads, zlib, crypto, child processes.
. "$(dirname "$0")/../lib.sh"
need node

cat >"$work/script.js" <<'END'
const crypto = require('crypto'), zlib = require('zlib'), { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const { execFileSync } = require('child_process');
const digest = (x) => crypto.createHash('sha256').update(x).digest('hex').slice(0, 16);
function work(n) {
    const table = new Map();
    for (let i = 0; i < 20000; i++) table.set(`key ${(i * 7919) % 10007} ${n}`, { i, list: new Array(i % 17).fill(n) });
    const text = JSON.stringify([...table]);
    const packed = zlib.deflateSync(Buffer.from(text));
    return digest(zlib.inflateSync(packed)) + table.size;
}
if (!isMainThread) {
    parentPort.postMessage([workerData, work(workerData)]);
} else {
    (async () => {
        const results = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => new Promise((resolve, reject) => {
            const worker = new Worker(__filename, { workerData: n });
            worker.on('message', resolve).on('error', reject);
        })));
        for (const [n, result] of results) console.log(n, result);
        const hashes = await Promise.all(Array.from({ length: 40 }, (_, i) => new Promise((resolve, reject) =>
            crypto.pbkdf2('word' + i, 'salt', 2000, 64, 'sha512', (e, key) => e ? reject(e) : resolve(key.toString('hex'))))));
        console.log(digest(hashes.join()));
        const buffers = Array.from({ length: 400 }, (_, i) => Buffer.alloc((i * 997) % 200000, i % 256));
        console.log(digest(Buffer.concat(buffers)));
        console.log(zlib.gunzipSync(zlib.gzipSync(Buffer.alloc(30e6, 'text '))).length);
        console.log(execFileSync(process.execPath, ['-e', 'console.log("x".repeat(1e6).length)']).toString().trim());
    })();
}
END
compare node "$work/script.js"
served 'node(js)?'
