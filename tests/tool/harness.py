"""What the tests of the command share: processes to look into, and parsers of what it prints."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

COMMAND = os.environ["BUDDYSLAB_COMMAND"]
LIBRARY = os.environ["BUDDYSLAB_LIB"]
LOAD = os.environ["BUDDYSLAB_LOAD"]
KERNEL = os.environ["BUDDYSLAB_KERNEL"]
STATIC = os.environ["BUDDYSLAB_STATIC"]
PARTS = ("live cached slab_free free_pages reserve live_windows cached_windows metadata returned moving").split()


def command(*arguments, status=0, environment=None):
    """What the command prints; its errors, where another status than 0 is expected."""
    done = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          env=environment)
    assert done.returncode == status, f"{arguments}: status {done.returncode}: {done.stderr}"
    if status == 0:
        assert not done.stderr, f"{arguments}: {done.stderr}"
    return done.stdout if status in (0, 1) else done.stderr


class Load:
    """The program load.c, on the library, as long as the with statement lasts."""

    def __init__(self, threads=0, *more, library=LIBRARY, parameters=None, program=LOAD):
        self.arguments = [program, str(threads), *more]
        self.environment = dict(os.environ, LD_PRELOAD=library)
        if parameters:
            self.environment["BUDDYSLAB"] = parameters

    def __enter__(self):
        self.process = subprocess.Popen(self.arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=self.environment)
        self.at = json.loads(self.process.stdout.readline())
        self.pid = self.process.pid
        return self

    def finish(self):
        """Lets it end; returns how many times it allocated."""
        self.process.stdin.close()
        operations = int(self.process.stdout.read())
        assert self.process.wait(timeout=60) == 0
        return operations

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.close()


class Kernel(Load):
    """The program kernel.c, which is linked with the library, or with a static one."""

    def __init__(self, program=KERNEL):
        self.arguments = [program]
        self.environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}


class Redis:
    """A redis-server on the library, with redis-benchmark at work on it."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp()
        self.socket = self.folder + "/socket"
        self.server = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--dir", self.folder, "--save",
             "", "--logfile", self.folder + "/log"], env=dict(os.environ, LD_PRELOAD=LIBRARY))
        self.pid = self.server.pid
        for _ in range(600):
            if subprocess.run(["redis-cli", "-s", self.socket, "ping"], capture_output=True,
                              text=True).stdout == "PONG\n":
                break
            time.sleep(0.05)
        else:
            raise AssertionError("redis-server does not answer")
        self.client = subprocess.Popen(
            ["redis-benchmark", "-s", self.socket, "-q", "-l", "-c", "10", "-P", "8", "-d", "300", "-r",
             "20000", "-t", "set,lpush,sadd,hset,spop"], stdout=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        for process in (self.client, self.server):
            process.kill()
            process.wait()
        shutil.rmtree(self.folder)


def wait_until(condition, seconds=30):
    """Asks until it holds; the time is only a bound on failure."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def state_of(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def wait_for_ready(process):
    """A program has said that it is ready, and waits for what comes next: it allocates no more."""
    assert process.stdout.readline() == b"ready\n"
    wait_until(lambda: state_of(process.pid) == "S")


# --- independent parsers: by the descriptions of the formats, not by our code

SLABINFO = re.compile(r"^(\S+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+) : tunables\s+(\d+)\s+(\d+)\s+(\d+)"
                      r" : slabdata\s+(\d+)\s+(\d+)\s+(\d+)$")


def slabinfo(text):
    """{name: (active objects, objects, size, per slab, pages per slab, active slabs, slabs)}"""
    lines = text.splitlines()
    assert lines[0] == "slabinfo - version: 2.1"
    assert lines[1] == ("# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : "
                        "tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> "
                        "<sharedavail>")
    caches = {}
    for line in lines[2:]:
        found = SLABINFO.match(line)
        assert found, f"no line of slabinfo: {line}"
        n = [int(x) for x in found.groups()[1:]]
        active, objects, size, per_slab, pages, _, _, _, active_slabs, slabs, _ = n
        assert active <= objects and active_slabs <= slabs and per_slab >= 1 and pages >= 1
        assert found[1] not in caches
        caches[found[1]] = (active, objects, size, per_slab, pages, active_slabs, slabs)
    return caches


def zone_line(line):
    """(node, zone), and the rest of a line that begins with them."""
    found = re.match(r"^Node +(\d+), zone {1,8}(DMA32|Normal|Movable)(.*)$", line)
    assert found and len(line) - len(found[3]) == line.index("zone ") + 5 + 8, line
    return (int(found[1]), found[2]), found[3]


def buddyinfo(text):
    """{(node, zone): [free blocks of each order]}"""
    zones = {}
    for line in text.splitlines():
        zone, rest = zone_line(line)
        found = re.match(r"^ ((?: {0,5}\d+ ){11})$", rest)
        assert found and zone not in zones, line
        zones[zone] = [int(n) for n in found[1].split()]
    assert text.endswith("\n")
    return zones


def pagetypeinfo(text):
    """{(node, zone): {type: [free blocks of each order]}}, {(node, zone): {type: pageblocks}}"""
    head, tail = text.split("\n\nNumber of blocks type ")
    lines = head.splitlines()
    assert lines[0] == "Page block order: 10" and lines[1] == "Pages per block:  1024" and lines[2] == ""
    assert lines[3].split() == "Free pages count per migrate type at order".split() + [str(n) for n in range(11)]
    free = {}
    for line in lines[4:]:
        zone, rest = zone_line(line)
        found = re.match(r"^, type +(\w+) ((?: *\d+ ){11})$", rest)
        assert found, line
        free.setdefault(zone, {})[found[1]] = [int(n) for n in found[2].split()]
    names, *lines = tail.splitlines()
    blocks = {}
    for line in lines:
        zone, rest = zone_line(line)
        assert names.split() == list(free[zone]), names
        blocks[zone] = dict(zip(names.split(), (int(n) for n in rest.split())))
    assert list(blocks) == list(free)
    return free, blocks


def zoneinfo(text):
    """{(node, zone): {name: number}}, of the numbers that are one to a line; `cpus`: its page lists."""
    zones = {}
    for line in text.splitlines():
        if line.startswith("Node "):
            zone, rest = zone_line(line)
            assert not rest and zone not in zones, line
            current = zones[zone] = {"cpus": 0}
            continue
        words = line.split()
        assert line.startswith("  "), line
        if words[:2] == ["pages", "free"]:
            current["free"] = int(words[2])
        elif words[0] == "cpu:":
            assert int(words[1]) == current["cpus"]
            current["cpus"] += 1
        elif words[0] not in ("protection:", "pagesets"):
            name, value = words
            current.setdefault(name.rstrip(":"), int(value))
    return zones


def zone_sum(report):
    """The zones of a JSON report, as if they were one."""
    sums = {}
    for zone in report["zones"]:
        for name, value in zone.items():
            if isinstance(value, int):
                sums[name] = sums.get(name, 0) + value
    sums["free_blocks"] = [sum(n) for n in zip(*(zone["free_blocks"] for zone in report["zones"]))]
    return sums


def vmallocinfo(text):
    """[(start, end, is live, pages)]"""
    areas = []
    for line in text.splitlines():
        found = re.match(r"^0x([0-9a-f]+)-0x([0-9a-f]+) +(\d+) (?:malloc pages=(\d+) vmalloc(?: N0=(\d+))?|unpurged vm_area)$",
                         line)
        assert found, line
        start, end = int(found[1], 16), int(found[2], 16)
        assert end - start == int(found[3]) and found[5] in (None, found[4])
        areas.append((start, end, found[4] is not None, int(found[4] or 0)))
    return areas


def meminfo(text):
    values = {}
    for line in text.splitlines():
        found = re.match(r"^(\w+): +(\d+) kB$", line)
        assert found, line
        values[found[1]] = int(found[2])
    return values


SAMPLE = re.compile(r'^(buddyslab_\w+)(?:\{((?:\w+="[^"]*",?)*)\})? (\d+)$')


def prometheus(text):
    """{(name, labels): value}, by the rules of the text format."""
    types, values = {}, {}
    described = None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            described = line.split()[2]
            assert described not in types, f"{described} twice"
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name == described and kind in ("gauge", "counter")
            assert name.endswith("_total") == (kind == "counter"), name
            types[name] = kind
        else:
            found = SAMPLE.match(line)
            assert found, line
            assert found[1] == described, f"{line} is not with its type"
            key = (found[1], found[2] or "")
            assert key not in values, f"{key} twice"
            values[key] = int(found[3])
    assert text.endswith("\n")
    return values


def check_books(report):
    """A JSON report: nothing below zero, and the parts make the whole."""
    books = report["books"]
    assert sorted(books) == sorted(PARTS), books
    assert all(n >= 0 for n in books.values()), books
    assert sum(books.values()) == report["mapped"], (sum(books.values()), report["mapped"])
    for zone in report["zones"]:
        untouched = zone["pageblocks"] - zone["online"] - zone["given_back"]
        free = zone["free_resident_pages"] + zone["free_clean_pages"] + (untouched << 10)
        assert zone["mapped"] == zone["pageblocks"] - zone["given_back"] << 22, zone
        assert free <= zone["mapped"] >> 12, zone
        if report["exact"]:
            assert sum(n << order for order, n in enumerate(zone["free_blocks"])) == free, zone
    for cache in report["caches"]:
        assert all(v >= 0 for v in cache.values() if isinstance(v, int)), cache
        assert cache["resident_bytes"] <= cache["bytes"], cache
        assert cache["full_slabs"] <= cache["active_slabs"] <= cache["slabs"], cache
        objects = cache["live"] + cache["cached"] + cache["free"]
        if cache["size"] <= 32768:
            assert objects * cache["size"] <= cache["bytes"], cache
        else:  # a slab each, of as many pages as it needs
            assert objects == cache["slabs"], cache
            assert cache["bytes"] <= cache["slabs"] * cache["size"], cache


def cache_of(report, name):
    return next(c for c in report["caches"] if c["name"] == name)


def run_case(cases):
    """The case that the command line names."""
    name = sys.argv[1]
    cases["case_" + name]()
    print(f"holds: {name}")
