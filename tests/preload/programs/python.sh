#!/bin/bash
# python3: json, re, dict, threads, multiprocessing by fork and by spawn, subprocess, mmap, decimal.
. "$(dirname "$0")/../lib.sh"
need python3

cat >"$work/script.py" <<'END'
import collections, concurrent.futures, decimal, gc, hashlib, json, multiprocessing, os, random, re
import subprocess, sys, threading, zlib

random.seed(7)


def digest(x):
    return hashlib.sha256(json.dumps(x, sort_keys=True).encode()).hexdigest()[:16]


def work(n):
    rng = random.Random(n)
    table = {str(rng.random()): [rng.randrange(10**6) for _ in range(n % 13)] for _ in range(3000)}
    text = json.dumps(table, sort_keys=True)
    numbers = re.findall(r"\b(\d{3})(\d+)\b", text)
    return digest([len(numbers), numbers[:5], zlib.crc32(zlib.compress(text.encode()))])


def threads():
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return digest(list(pool.map(work, range(24))))


def processes(method):
    with multiprocessing.get_context(method).Pool(3) as pool:
        return digest(pool.map(work, range(12)))


def forks_among_threads():
    stop = threading.Event()
    busy = [threading.Thread(target=lambda: [work(1) for _ in iter(stop.is_set, True)]) for _ in range(3)]
    for t in busy:
        t.start()
    codes = []
    for i in range(20):
        pid = os.fork()
        if pid == 0:
            x = [bytearray(i * 1000) for i in range(100)]
            os._exit(len(x) % 256)
        codes.append(os.waitpid(pid, 0)[1])
    stop.set()
    for t in busy:
        t.join()
    return digest(codes)


class Node:
    def __init__(self, n):
        self.me, self.data = self, bytearray(n)


def garbage():
    for i in range(100000):
        Node(i % 700)
    big = [bytes([i % 256]) * (1 << (i % 24)) for i in range(24)]
    sizes = collections.Counter(len(b) for b in big)
    return gc.collect() >= 0, digest(sorted(sizes.items()))


if __name__ == "__main__":
    print("threads", threads())
    print("fork", processes("fork"))
    print("spawn", processes("spawn"))
    print("forks among threads", forks_among_threads())
    print("garbage", garbage())
    print("strings", digest(["".join(chr(97 + (i * j) % 26) for i in range(2000)) for j in range(200)]))
    with decimal.localcontext() as c:
        c.prec = 2000
        print("decimal", str(decimal.Decimal(2).sqrt())[-20:])
    print("ints", 3**50000 % 10**20)
    print("subprocess", [subprocess.run([sys.executable, "-c", f"print({i} * 7)"], capture_output=True).stdout for i in range(10)])
END
compare python3 "$work/script.py"
# pymalloc, python's own allocator, stands in front of malloc for small objects: now without it.
export PYTHONMALLOC=malloc
compare python3 "$work/script.py"
served 'python3[.0-9]*'
