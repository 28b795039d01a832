#!/usr/bin/env python3
"""Reports that a process makes of itself: by a signal, at its end, and when it asks for one."""
import ctypes
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import xml.etree.ElementTree as xml

from harness import *


def python(script, parameters="", **more):
    """Runs a script on the library; what it prints, and what stands in its standard error."""
    environment = dict(os.environ, LD_PRELOAD=LIBRARY, PYTHONMALLOC="malloc", BUDDYSLAB=parameters)
    done = subprocess.run(["python3", "-c", script], capture_output=True, text=True, env=environment, timeout=60, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


ASK = """
import ctypes, os, sys
def report(format, fd=1):
    sys.stdout.flush()
    return ctypes.CDLL(None).bsl_stats_print(fd, format)
"""


def case_signal():
    """A report at a signal, on standard error or in a file, of a process that does nothing at all."""
    with tempfile.TemporaryDirectory() as folder:
        errors = pathlib.Path(folder) / "errors"
        for parameters, wanted in (("report_signal=12", "kmalloc-2k"),
                                   ("report_signal=12 report_format=slabinfo", "slabinfo - version: 2.1\n"),
                                   ("report_signal=10 report_format=json", '{"version":')):
            with open(errors, "w") as file, subprocess.Popen(
                    [LOAD, "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file,
                    env=dict(os.environ, LD_PRELOAD=LIBRARY, BUDDYSLAB=parameters)) as load:
                load.stdout.readline()
                load.send_signal(10 if "=10" in parameters else 12)
                wait_until(lambda: errors.read_text().endswith("\n"))
                assert wanted in errors.read_text(), errors.read_text()
                load.stdin.close()
                assert load.wait(timeout=60) == 0, "it went on"
        with Load(parameters=f"report_signal=12 report_format=json report_file={folder}/heap.%p.json") as load:
            file = pathlib.Path(f"{folder}/heap.{load.pid}.json")
            os.kill(load.pid, 12)
            wait_until(file.exists)
            report = json.loads(file.read_text())
            check_books(report)
            assert cache_of(report, "kmalloc-2k")["live"] == 20000
            assert report == json.loads(command("stat", "--json", load.pid)), "from inside as from outside"


def case_signal_of_the_program():
    """A program that handles the signal itself gets it."""
    script = "import signal, os; signal.signal(12, lambda *_: print('mine')); os.kill(os.getpid(), 12)"
    assert python(script, "report_signal=12") == ("mine\n", "")


def case_signals_at_full_speed():
    """Reports from a signal handler, whatever the thread was doing: in malloc, with a lock held."""
    with tempfile.TemporaryDirectory() as folder:
        name = f"{folder}/heap"
        with Load(2, parameters=f"report_signal=12 report_format=json report_file={name}") as load:
            tasks = [int(t) for t in os.listdir(f"/proc/{load.pid}/task")]
            libc = ctypes.CDLL(None, use_errno=True)
            seen = set()
            for i in range(100):
                last = os.stat(name).st_ino if os.path.exists(name) else None
                task = tasks[i % len(tasks)]
                assert libc.tgkill(load.pid, task, 12) == 0
                wait_until(lambda: os.path.exists(name) and os.stat(name).st_ino != last)
                text = pathlib.Path(name).read_text()
                check_books(json.loads(text))
                assert cache_of(json.loads(text), "kmalloc-2k")["live"] == 20000
                seen.add(text)
            assert len(seen) > 50, "they are not all the same"
            assert load.finish() > 0


def case_exit_into_file():
    """The last report, for those who collect it, in Prometheus' format."""
    with tempfile.TemporaryDirectory() as folder:
        parameters = f"report=exit report_format=prometheus report_file={folder}/heap.prom"
        _, errors = python("x = bytearray(30 << 20)", parameters)
        assert errors == ""
        values = prometheus((pathlib.Path(folder) / "heap.prom").read_text())
        assert values["buddyslab_windows_made_total", ""] >= 1
        assert os.listdir(folder) == ["heap.prom"]
    _, errors = python("pass", "report=exit report_format=json")
    check_books(json.loads(errors))


def case_exit_of_children():
    """Only the process that was started reports at its end; at a signal each may."""
    script = "import os\nif os.fork() == 0: os._exit(0)\nos.wait()\nif os.fork(): os.wait()"
    _, errors = python(script, "report=exit report_format=json")
    assert len(errors.splitlines()) == 1
    with tempfile.TemporaryDirectory() as folder:
        script = "import os, signal, time\nif os.fork(): os.wait()\nos.kill(os.getpid(), 12); time.sleep(0.01)"
        python(script, f"report_signal=12 report_format=json report_file={folder}/%p")
        files = os.listdir(folder)
        assert len(files) == 2, files
        for file in files:
            check_books(json.loads((pathlib.Path(folder) / file).read_text()))


def case_api():
    """bsl_stats_print() writes what the command would."""
    for name in ("json", "slabinfo", "buddyinfo", "pagetypeinfo", "vmallocinfo", "zoneinfo", "meminfo", "prometheus",
                 "text"):
        output, _ = python(ASK + f"x = bytearray(9 << 20)\nassert report(b'{name}') == 0")
        if name == "json":
            check_books(json.loads(output))
        elif name == "prometheus":
            prometheus(output)
        elif name in ("slabinfo", "buddyinfo", "pagetypeinfo", "vmallocinfo", "meminfo"):
            assert globals()[name](output)
        else:
            assert output
    output, _ = python(ASK + "assert report(None) == 0")
    assert output.startswith("buddyslab: calls: malloc 0, ")
    output, _ = python(ASK + "print(report(b'colours'), report(b'json', 77))")
    assert output == "-22 -9\n"


def case_requests():
    """What is lost to rounding, where it was asked for."""
    script = ASK + """
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
for i in range(1000): libc.malloc(33000)
assert report(b'json') == 0
assert report(b'text') == 0
"""
    output, _ = python(script, "count_requests=1")
    first, text = output.split("\n", 1)
    report = json.loads(first)
    check_books(report)
    cache = min((c for c in report["caches"] if c["size"] >= 33000 and not c["own"]), key=lambda c: c["size"])
    assert cache["requests_total"] >= 1000 and cache["live"] >= 1000, cache
    mean = cache["requested_bytes_total"] / cache["requests_total"]
    assert 32768 < mean <= cache["size"], cache
    line = next(l for l in text.split("requests of")[1].splitlines() if l.startswith(cache["name"] + " "))
    assert abs(int(line.split()[-2]) - 100 * (1 - mean / cache["size"])) < 2 and line.endswith("%"), line
    script = ASK + """
libc = ctypes.CDLL(None)
libc.aligned_alloc.restype = ctypes.c_void_p
for i in range(1000): libc.aligned_alloc(256, 5000)
assert report(b'json') == 0
"""
    report = json.loads(python(script, "count_requests=1")[0])
    cache = min((c for c in report["caches"] if c["size"] >= 5000 and c["size"] % 256 == 0 and not c["own"]),
                key=lambda c: c["size"])
    assert cache["live"] >= 1000, cache
    assert cache["requests_total"] >= 1000 and cache["requested_bytes_total"] >= 1000 * 5000, cache
    values = prometheus(python(script.replace("json", "prometheus"), "count_requests=1")[0])
    assert values["buddyslab_cache_requested_bytes_total", f'cache="{cache["name"]}"'] >= 1000 * 5000
    output, _ = python(script)
    assert "requests_total" not in output, "nothing is counted unless asked for"


def case_books_of_figures():
    """mallinfo2, malloc_info and malloc_stats say what the reports say."""
    script = ASK + """
import json
class info(ctypes.Structure):
    _fields_ = [(n, ctypes.c_size_t) for n in
                "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]
libc = ctypes.CDLL(None)
libc.mallinfo2.restype = info
libc.fdopen.restype = ctypes.c_void_p
libc.fflush.argtypes = [ctypes.c_void_p]
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
kept = [bytes(100 + i % 3000) for i in range(20000)] + [bytearray(9 << 20)]
stream = libc.fdopen(1, b"w")
now = libc.mallinfo2()
report(b"json")
print(json.dumps({n: getattr(now, n) for n, _ in info._fields_}))
sys.stdout.flush()
libc.malloc_stats()
libc.malloc_info(0, stream)
libc.fflush(stream)
"""
    output, errors = python(script)
    first, second, third = output.split("\n", 2)
    report, info = json.loads(first), json.loads(second)
    books = report["books"]

    def close(a, b):
        return abs(a - b) < 1 << 18  # what Python allocates between the calls

    assert close(info["uordblks"], books["live"]), (info, books)
    assert close(info["fsmblks"], books["cached"]) and info["hblks"] == report["windows"]["live"]
    assert info["hblkhd"] == books["live_windows"]
    tree = xml.fromstring(third)
    total = next(e for e in tree.findall("system") if e.get("type") == "current")
    assert close(int(total.get("size")), report["mapped"]), (total.attrib, report["mapped"])
    mapped = [int(line.split("=")[1]) for line in errors.splitlines() if line.startswith("system bytes")][-1]
    assert close(mapped, report["mapped"])


def case_figures_of_caches():
    """malloc_info's sizes add up to its totals, objects of the program's caches among them."""
    script = ASK + """
libc = ctypes.CDLL(None)
libc.bsl_kmem_cache_create.restype = libc.bsl_kmem_cache_alloc.restype = libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.fflush.argtypes = [ctypes.c_void_p]
cache = ctypes.c_void_p(libc.bsl_kmem_cache_create(b"mine", ctypes.c_size_t(720), ctypes.c_size_t(0), 0x1000000, None))
objects = [ctypes.c_void_p(libc.bsl_kmem_cache_alloc(cache, 4)) for i in range(3000)]
for i, o in enumerate(objects):
    if i % 10: libc.bsl_kmem_cache_free(cache, o)
stream = libc.fdopen(1, b"w")
libc.malloc_info(0, stream)
libc.fflush(stream)
"""
    output, _ = python(script)
    tree = xml.fromstring(output)
    heap = tree.find("heap")
    sizes = [{name: int(value) for name, value in size.attrib.items()} for size in heap.find("sizes")]
    totals = {total.get("type"): int(total.get("count")) for total in heap.findall("total")}
    assert sum(size["count"] for size in sizes) == totals["fast"] + totals["rest"], totals
    for size in sizes:
        assert size["from"] * size["count"] <= size["total"] <= size["to"] * size["count"], size
    assert next(size for size in sizes if size["from"] <= 720 <= size["to"])["count"] >= 2700, sizes


def case_no_file():
    """A report that cannot be written is complained about once, and nothing else."""
    _, errors = python("pass", "report=exit report_format=json report_file=/no/such/folder/heap")
    assert errors == "buddyslab: no report in /no/such/folder/heap: error 2\n", errors
    _, errors = python("pass", "report_signal=65")
    assert "report_signal=65: expected a number from 0 to 64" in errors


def kernel_names_mappings():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    at = libc.mmap(None, ctypes.c_size_t(4096), 3, 0x22, -1, ctypes.c_long(0))
    return libc.prctl(0x53564D41, 0, ctypes.c_ulong(at), ctypes.c_ulong(4096), b"a name") == 0


def case_names():
    """The mappings have names where the kernel can name them; elsewhere everything is as before."""
    with Load(parameters="name_mappings=1") as load:
        maps = pathlib.Path(f"/proc/{load.pid}/maps").read_text()
        assert cache_of(json.loads(command("stat", "--json", load.pid)), "kmalloc-2k")["live"] == 20000
    if not kernel_names_mappings():
        assert "buddyslab arena" not in maps
        print("this kernel names no mappings (CONFIG_ANON_VMA_NAME): that asking does no harm is all that was tested")
        return
    for name in ("arena", "tables", "window"):
        assert f"[anon:buddyslab {name}]" in maps, maps
    with Load() as load:
        assert "[anon:buddyslab" not in pathlib.Path(f"/proc/{load.pid}/maps").read_text()


run_case(globals())
