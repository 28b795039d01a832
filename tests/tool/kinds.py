#!/usr/bin/env python3
"""Heaps and processes of every kind: the kernel's kinds of memory, and processes that are started, forked, linked
and ended in unusual ways."""
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

from harness import *
from look import agree_about_zones
from picture import check_page

ZONES = [(0, "DMA32"), (0, "Normal"), (0, "Movable")]


def check_kernel(look):
    """The program kernel.c as `look`, a function of a report's name and more words, shows it."""
    report = json.loads(look("stat", "--json"))
    check_books(report)
    assert report["exact"] and report["books"]["moving"] == 0, report
    assert report["books"]["reserve"] == 40 * 4096, "16 blocks of a page, 4 of 2, 2 of 4, 1 of 8"
    zones = {(z["node"], z["name"]): z for z in report["zones"]}
    assert list(zones) == ZONES
    assert zones[0, "DMA32"]["run_pages"] == 4 and zones[0, "Movable"]["run_pages"] == 300
    assert zones[0, "Normal"]["run_pages"] == 8, "one block of order 3"
    assert zones[0, "Movable"]["mapped"] == 8 << 20
    agree_about_zones(report, look("buddyinfo"), look("pagetypeinfo"), look("zoneinfo"))
    memory = meminfo(look("meminfo"))
    assert memory["CmaTotal"] == 8 << 10 and memory["CmaFree"] == (8 << 10) - 300 * 4
    assert memory["Bsl_reserve"] == 160 and memory["Bsl_dma32"] == zones[0, "DMA32"]["mapped"] >> 10
    caches = slabinfo(look("slabinfo"))
    assert caches["conn"][0] == 1000 and caches["conn"][2] == 192, caches["conn"]
    assert caches["my__own__<cache>"][:1] == (1,) and caches["request"][0] == 1, "no space ends a word"
    assert "answer" not in caches, "it was merged"
    assert cache_of(report, "request")["aliases"] == ["answer"] and cache_of(report, "conn")["aliases"] == []
    assert "request also serves as answer" in look("stat")
    values = prometheus(look("stat", "--prometheus"))
    assert values["buddyslab_cache_objects", 'cache="conn",state="live"'] == 1000
    for (node, name), zone in zones.items():
        parts = [values["buddyslab_zone_memory_bytes", f'node="{node}",zone="{name}",state="{state}"']
                 for state in ("used", "free_resident", "free_clean")]
        assert sum(parts) == zone["mapped"]
        blocks = [values["buddyslab_free_blocks", f'node="{node}",zone="{name}",order="{n}"'] for n in range(11)]
        assert blocks == zone["free_blocks"]
    return report


def case_kernel_reports():
    """Zones apart, caches by their names, the reserve: in every report."""
    with Kernel() as kernel:
        report = check_kernel(lambda name, *more: command(name, *more, kernel.pid))
        rows = {line.split()[-1]: line.split() for line in command("top", "--once", kernel.pid).splitlines() if line}
        assert rows["conn"][0] == "1000" and "request,answer" in rows, list(rows)
        check_page(command("map", "--html", kernel.pid), report)


def check_why(kernel, why):
    at = kernel.at
    assert why(at["conn"] + 5).startswith(f"{hex(at['conn'] + 5)}: 5 bytes into object ")
    assert "of cache conn, which is in use" in why(at["conn"] + 5)
    assert "of cache request, which is" in why(at["answer"])
    assert "request: objects of 720 bytes, also serves as answer" in why(at["answer"])
    assert 'of cache my__own__<cache>, which is in use' in why(at["named"])
    assert "4097 bytes into a block of page frames, which is in use" in why(at["frames"] + 4097)
    assert "a free page, kept by the thread heap at 0x" in why(at["listed"] + 8000)
    assert "in the reserve for GFP_ATOMIC" in why(at["reserve"])
    assert "zone DMA32 of node 0" in why(at["low"]) and at["low"] < 1 << 32
    assert "zone Movable of node 0" in why(at["contiguous"])
    assert "a block of page frames, which is in use" in why(at["contiguous"] + 299 * 4096)


def case_kernel_why():
    """Addresses of objects of the program's caches, of page frames, and of free ones."""
    with Kernel() as kernel:
        check_why(kernel, lambda address: command("why", kernel.pid, hex(address)))
        again = command("why", kernel.pid, hex(kernel.at["freed"]))
        assert "of cache request, which is" in again, again


def case_kernel_core():
    """A core dump says the same of all these."""
    with Kernel() as kernel, tempfile.TemporaryDirectory() as folder:
        subprocess.run(["gcore", "-o", f"{folder}/core", str(kernel.pid)], check=True, capture_output=True)
        core = f"{folder}/core.{kernel.pid}"
        check_kernel(lambda name, *more: command(name, *more, "--core", core))
        check_why(kernel, lambda address: command("why", "--core", core, hex(address)))


HEAPS = """
import ctypes, json, sys
lib = ctypes.CDLL(None)
for name in ("bsl_heap_create", "bsl_heap_alloc"):
    getattr(lib, name).restype = ctypes.c_void_p
def alloc(heap, size): return lib.bsl_heap_alloc(ctypes.c_void_p(heap), ctypes.c_size_t(size))
other = lib.bsl_heap_create(b"other", 0, ctypes.c_size_t(0))
heap = lib.bsl_heap_create(b"my\\x1brequest", 0, ctypes.c_size_t(0))
at = {name: alloc(heap, size) for name, size in (("freed", 100), ("object", 100), ("run", 50000), ("window", 9 << 20))}
at["other"] = alloc(other, 8000)
lib.bsl_heap_free(ctypes.c_void_p(heap), ctypes.c_void_p(at["freed"]))
print(json.dumps(at), flush=True)
sys.stdin.readline()
"""


def case_private_heaps():
    """Addresses of private heaps: objects in use and free, runs of pages, windows; each with its heap's name."""
    with subprocess.Popen(["python3", "-c", HEAPS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env=dict(os.environ, LD_PRELOAD=LIBRARY)) as process:
        at = json.loads(process.stdout.readline())

        def why(address):
            head, *rest = command("why", process.pid, hex(address)).splitlines()
            return head, dict(line.split(maxsplit=1) for line in rest)

        head, facts = why(at["object"] + 5)
        assert ": 5 bytes into object " in head and head.endswith(" of a private heap, which is in use"), head
        assert facts["heap"] == "number 2, my?request", facts
        assert facts["class"] == "objects of 112 bytes" and facts["offset"] == "5" and facts["state"] == "in use", facts
        assert facts["object"].endswith(hex(at["object"])) and facts["slab"].endswith(" objects, 35 free"), facts
        head, facts = why(at["freed"] + 111)
        assert ": 111 bytes into object 0 of a private heap, which is free" in head and facts["state"] == "free", head
        head, facts = why((at["object"] & ~0xfff) + 4095)
        assert "beside the objects of a slab of a private heap" in head and "object" not in facts, head
        head, facts = why(at["run"] + 20000)
        assert ": 20000 bytes into pages of a private heap" in head and facts["heap"] == "number 2, my?request", facts
        head, facts = why(at["window"] + 5000000)
        assert "5000000 bytes into a window, which is in use" in head and facts["heap"] == "number 2, my?request", facts
        head, facts = why(at["other"])
        assert "of a private heap, which is in use" in head and facts["heap"] == "number 1, other", facts
        process.stdin.close()


def case_nodes():
    """A thread's page list is shown in the zone that it is of, and nobody knows the node of a window."""
    second = [cpu for cpu in os.sched_getaffinity(0) if cpu % 2]
    if not second:
        print("skipped: there is no processor that the library would take for one of another node")
        raise SystemExit(77)
    os.sched_setaffinity(0, second)
    with Load(parameters="numa_fake=2") as load:
        report = json.loads(command("stat", "--json", load.pid))
        zones = zoneinfo(command("zoneinfo", load.pid))
        assert zones[1, "Normal"]["cpus"] == report["threads"] == 1 and zones[0, "Normal"]["cpus"] == 0, zones
        windows = command("vmallocinfo", load.pid)
        assert "N0=" not in windows and any(a[2] for a in vmallocinfo(windows)), windows
    with Load() as load:
        assert "N0=2304" in command("vmallocinfo", load.pid)


def case_static_program():
    """The library is a part of the program, as an archive of which only what is needed is linked."""
    with Kernel(STATIC) as kernel:
        maps = pathlib.Path(f"/proc/{kernel.pid}/maps").read_text()
        assert "libbuddyslab" not in maps
        check_kernel(lambda name, *more: command(name, *more, kernel.pid))
        check_why(kernel, lambda address: command("why", kernel.pid, hex(address)))


FORK = """
import os, sys
x = [bytes(2100) for i in range(3000)]
child = os.fork()
if child == 0:
    y = [bytes(2100) for i in range(2000)]
os.write(1, b'ready %d\\n' % os.getpid())  # in one piece: two write to the pipe
sys.stdin.readline()
if child: os.wait()
"""


def case_forked_child():
    """A process and the child it forked each have their own heap, from where they parted on."""
    with subprocess.Popen(["python3", "-c", FORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env=dict(os.environ, LD_PRELOAD=LIBRARY, PYTHONMALLOC="malloc")) as parent:
        pids = sorted((int(parent.stdout.readline().split()[1]) for _ in range(2)), key=lambda p: p != parent.pid)
        assert pids[0] == parent.pid
        for pid in pids:
            wait_until(lambda: state_of(pid) == "S")
        reports = [json.loads(command("stat", "--json", pid)) for pid in pids]
        live = []
        for report in reports:
            check_books(report)
            assert report["exact"]
            live.append(sum(c["live"] for c in report["caches"] if 2100 < c["size"] < 2600))
        assert live[0] >= 3000 and 2000 <= live[1] - live[0] < 2100, live
        parent.stdin.write("end\nend\n")
        parent.stdin.close()


def case_other_root():
    """A process in a mount namespace of its own: the library's file cannot be seen from here, nor the program's."""
    namespace = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-rm"]
    script = f"mount -t tmpfs none /mnt && cp {LIBRARY} /mnt/hidden.so && cp {LOAD} /mnt/hidden && " \
             "LD_PRELOAD=/mnt/hidden.so exec /mnt/hidden"
    with subprocess.Popen([*namespace, "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        if not line:
            print("skipped: this system allows no mount namespace: " + process.stderr.read())
            raise SystemExit(77)
        assert not os.path.exists("/mnt/hidden.so") and "/mnt/hidden" in os.readlink(f"/proc/{process.pid}/exe")
        report = json.loads(command("stat", "--json", process.pid))
        check_books(report)
        assert cache_of(report, "kmalloc-2k")["live"] == 20000
        why = command("why", process.pid, hex(json.loads(line)["object"] + 3))
        assert "3 bytes into object" in why and "which is in use" in why
        assert command("slabinfo", "hidden") == command("slabinfo", process.pid), "found by its name"
        process.stdin.close()


def case_vanishing():
    """Processes that end while they are read: a whole report, or a message that says so, and soon."""
    whole = gone = 0
    for i in range(30):
        with Load() as load:
            look = subprocess.Popen([COMMAND, "stat", "--json", "--every", "0.0005", str(load.pid)], text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if i % 2:
                look.stdout.readline()
            time.sleep(0.0003 * i)
            load.process.kill()
            out, errors = look.communicate(timeout=30)
        for line in out.splitlines():
            check_books(json.loads(line))
        if look.returncode == 0:
            whole += 1
            assert not errors
        else:
            gone += 1
            expected = ("has ended", "there is no process", "has no memory: a kernel thread, or a process that has ended")
            assert look.returncode == 2 and any(e in errors for e in expected) and not out, (out[:200], errors)
    assert whole, "half of them were seen once before the end"


LEADER = """
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static void* other(void* first)
{
    pthread_join(*(pthread_t*)first, NULL);
    for (int i = 0; i < 3000; i++)
        malloc(2000);
    puts("ready");
    fflush(stdout);
    pause();
    return NULL;
}
int main(void)
{
    static pthread_t first, second;
    first = pthread_self();
    pthread_create(&second, NULL, other, &first);
    pthread_exit(NULL);
}
"""


def case_leader_gone():
    """The first thread has ended, the process has not: the others have the memory."""
    folder = tempfile.TemporaryDirectory()
    source = pathlib.Path(folder.name) / "leader.c"
    source.write_text(LEADER)
    program = source.with_suffix("")
    subprocess.run(["cc", "-w", "-O0", source, "-o", program, "-lpthread"], check=True)
    with subprocess.Popen([program], stdout=subprocess.PIPE, env=dict(os.environ, LD_PRELOAD=LIBRARY)) as process:
        assert process.stdout.readline() == b"ready\n" and state_of(process.pid) == "Z"
        report = json.loads(command("stat", "--json", process.pid))
        check_books(report)
        assert cache_of(report, "kmalloc-2k")["live"] == 3000
        process.kill()


def case_exec_while_watched():
    """A process that becomes another program is not taken for the old one."""
    with subprocess.Popen(["sh", "-c", f"LD_PRELOAD={LIBRARY} python3 -c \""
                           "import os; print('ready', flush=True); input(); del os.environ['LD_PRELOAD']; "
                           "os.execvp('sleep', ['sleep', '100'])\""], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:
        process.stdout.readline()
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        pid = int(children[0]) if children else process.pid
        look = subprocess.Popen([COMMAND, "top", "--once", str(pid)], stdout=subprocess.PIPE)
        assert look.wait() == 0
        watch = subprocess.Popen([COMMAND, "stat", "--json", "--every", "0.01", str(pid)], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
        check_books(json.loads(watch.stdout.readline()))
        process.stdin.write("\n")
        process.stdin.close()
        rest, errors = watch.communicate(timeout=30)
        assert watch.returncode == 2 and "does it run another program by now?" in errors, "it has not ended"
        for line in rest.splitlines():
            check_books(json.loads(line))
        assert "does not have libbuddyslab" in command("stat", pid, status=2)
        os.kill(pid, signal.SIGKILL)


def case_many_processes():
    """A name stands for a process if it is the only one of its program."""
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "a-name-longer-than-comm"
        program.write_bytes(pathlib.Path(LOAD).read_bytes())
        program.chmod(0o755)
        with Load(program=program) as one:
            assert command("slabinfo", program.name) == command("slabinfo", one.pid)
            with Load(program=program) as two:
                said = command("slabinfo", program.name, status=2)
                assert said == f"buddyslab: more than one process is called {program.name}: " \
                               f"{min(one.pid, two.pid)} {max(one.pid, two.pid)}\n", said


if __name__ == "__main__":
    run_case(globals())
