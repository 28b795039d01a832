#!/usr/bin/env python3
"""The command looks into processes from outside: each case is a test."""
import json
import os
import pathlib
import signal
import stat
import struct
import subprocess
import tempfile
import time

from harness import *


def case_formats_of_redis():
    """Every report of a redis-server at work is understood by parsers of their own."""
    with Redis() as redis:
        wait_until(lambda: cache_of(json.loads(command("stat", "--json", redis.pid)), "kmalloc-320")["live"] > 1000)
        for _ in range(5):
            caches = slabinfo(command("slabinfo", redis.pid))
            assert caches["kmalloc-64"][2] == 64 and caches["kmalloc-4M"][2] == 4 << 20
            assert sum(c[1] * c[2] for c in caches.values()) > 1 << 20
            normal = (0, "Normal")
            assert len(buddyinfo(command("buddyinfo", redis.pid))[normal]) == 11  # all of them 0 while it grows
            free, blocks = pagetypeinfo(command("pagetypeinfo", redis.pid))
            assert blocks[normal]["Slab"] > 0 and len(free[normal]) == 3
            vmallocinfo(command("vmallocinfo", redis.pid))
            assert meminfo(command("meminfo", redis.pid))["MemTotal"] > 1000
            zone = zoneinfo(command("zoneinfo", redis.pid))[normal]
            assert 0 < zone["managed"] <= zone["present"] <= zone["spanned"] and zone["cpus"] >= 1
            assert "kmalloc-" in command("stat", redis.pid)
            report = json.loads(command("stat", "--json", redis.pid))
            check_books(report)
            values = prometheus(command("stat", "--prometheus", redis.pid))
            parts = [v for (name, _), v in values.items() if name == "buddyslab_memory_bytes"]
            assert len(parts) == len(PARTS) and sum(parts) == values["buddyslab_mapped_bytes", ""]


def agree_about_zones(report, buddy, types, zones):
    """Four reports of a process at rest say the same about its zones."""
    orders, zones = buddyinfo(buddy), zoneinfo(zones)
    free, blocks = pagetypeinfo(types)
    names = [(zone["node"], zone["name"]) for zone in report["zones"]]
    assert names == list(orders) == list(free) == list(zones), names
    for name, zone in zip(names, report["zones"]):
        assert orders[name] == zone["free_blocks"]
        untouched = zone["pageblocks"] - zone["online"] - zone["given_back"]
        typed = [sum(n) for n in zip(*free[name].values())]
        assert typed == orders[name][:10] + [orders[name][10] - untouched], (typed, orders[name])
        assert sum(blocks[name].values()) == zone["online"]
        assert zones[name]["free"] == zone["free_resident_pages"] + zone["free_clean_pages"]
        assert zones[name]["nr_free_resident"] == zone["free_resident_pages"]
        assert zones[name]["managed"] == zone["online"] << 10
        assert zones[name]["present"] << 12 == zone["mapped"]
        assert zones[name]["cpus"] == (report["threads"] if name == (0, "Normal") else 0)


def case_python_at_rest():
    """All reports of a process that rests say the same."""
    script = ("x = [bytes(i % 900) for i in range(50000)]; y = bytearray(20 << 20); "
              "print('ready', flush=True); input()")
    with subprocess.Popen(["python3", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env=dict(os.environ, LD_PRELOAD=LIBRARY, PYTHONMALLOC="malloc")) as python:
        wait_for_ready(python)
        report = json.loads(command("stat", "--json", python.pid))
        check_books(report)
        assert report["exact"] and report["books"]["moving"] == 0
        caches = slabinfo(command("slabinfo", python.pid))
        for cache in report["caches"]:
            active, objects, size, *_, slabs = caches[cache["name"]]
            assert (active, size, slabs) == (cache["live"], cache["size"], cache["slabs"])
            assert objects == cache["live"] + cache["cached"] + cache["free"]
        agree_about_zones(report, *(command(r, python.pid) for r in ("buddyinfo", "pagetypeinfo", "zoneinfo")))
        live = [a for a in vmallocinfo(command("vmallocinfo", python.pid)) if a[2]]
        assert len(live) == report["windows"]["live"]
        assert sum(a[3] for a in live) * 4096 == report["windows"]["live_bytes"] >= 20 << 20
        total = meminfo(command("meminfo", python.pid))
        assert total["MemTotal"] == report["mapped"] // 1024
        for part in PARTS:
            assert total["Bsl_" + part] == report["books"][part] // 1024
        python.stdin.close()


def case_agrees_with_the_kernel():
    """What is said to be resident is: the process's RSS from the kernel, within what is not the heap's."""
    with Load() as load:
        report = json.loads(command("stat", "--json", load.pid))
        check_books(report)
        heap = 0
        for line in pathlib.Path(f"/proc/{load.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                heap = int(line.split()[1]) * 1024
        books = report["books"]
        small = 20000 * 2048
        window = 9 << 20
        resident = sum(books[p] for p in ("live", "cached", "slab_free", "free_pages")) - (1 << 20) + window
        assert small + window <= resident
        assert resident - (1 << 20) <= heap <= resident + (4 << 20), (resident, heap)


def case_population():
    """What the program holds is what is reported, to the object."""
    with Load() as load:
        report = json.loads(command("stat", "--json", load.pid))
        check_books(report)
        assert report["exact"]
        assert cache_of(report, "kmalloc-2k")["live"] == 20000
        assert cache_of(report, "kmalloc-1M")["live"] == 1
        windows = report["windows"]
        assert windows["live"] == 1 and windows["live_bytes"] == 9 << 20, windows
        assert windows["cached"] == 1 and windows["cached_bytes"] == 30 << 20, windows
        assert zone_sum(report)["run_pages"] == 5


def case_why():
    """Addresses are explained, of every kind."""
    with Load() as load:
        def why(address, status=0):
            return command("why", load.pid, hex(address), status=status).splitlines()

        at = load.at
        head, *rest = why(at["object"] + 77)
        assert head.endswith("of cache kmalloc-2k, which is in use") and ": 77 bytes into object" in head, head
        facts = dict(line.split(maxsplit=1) for line in rest)
        assert facts["state"] == "in use" and facts["offset"] == "77"
        assert facts["object"].endswith(hex(at["object"])) and "resident" in facts["page"]
        assert "objects of 2048 bytes" in facts["cache"]
        assert "free, in a sheaf of the thread heap at 0x" in why(at["freed"] + 1)[0]
        assert "of cache kmalloc-1M, which is in use" in why(at["large"] + 999999)[0]
        assert ": 999999 bytes into object 0" in why(at["large"] + 999999)[0]
        assert "5000000 bytes into a window, which is in use" in why(at["window"] + 5000000)[0]
        assert "a window, which is free, and kept for reuse" in why(at["old_window"] + 12)[0]
        assert "8193 bytes into a run of pages, which is in use" in why(at["run"] + 8193)[0]
        assert "a mapping of [stack]" in why(at["stack"], status=1)[0]
        assert "nothing is mapped there" in why(0x123, status=1)[0]
        assert "a free page" in why((at["run"] | 0x3fffff) & ~0xfff)[0]


def case_stopped():
    """A process that is stopped can be looked into; so can one that is found by its name."""
    with Load(2) as load:
        os.kill(load.pid, signal.SIGSTOP)
        wait_until(lambda: state_of(load.pid) == "T")
        report = json.loads(command("stat", "--json", load.pid))
        check_books(report)
        assert cache_of(report, "kmalloc-2k")["live"] == 20000
        again = json.loads(command("stat", "--json", load.pid))
        assert report == again, "nothing has moved"
        os.kill(load.pid, signal.SIGCONT)
        load.finish()


def case_core():
    """A core dump says what the process would have said."""
    with Load() as load, tempfile.TemporaryDirectory() as folder:
        core = f"{folder}/core.{load.pid}"
        subprocess.run(["gcore", "-o", f"{folder}/core", str(load.pid)], check=True, capture_output=True)
        os.kill(load.pid, signal.SIGSTOP)
        for report in ("slabinfo", "buddyinfo", "vmallocinfo", "zoneinfo", "meminfo"):
            assert command(report, "--core", core) == command(report, load.pid), report
        for name in ("object", "freed", "large", "window", "run"):
            address = hex(load.at[name] + 5)
            assert command("why", "--core", core, "--exe", LOAD, address) == command("why", load.pid, address)
        cut = pathlib.Path(folder) / "cut"
        cut.write_bytes(pathlib.Path(core).read_bytes()[:200000])
        assert "buddyslab: " in command("slabinfo", "--core", cut, status=2)
        assert "is no core dump" in command("slabinfo", "--core", LOAD, status=2)
        cut.write_bytes(b"")
        assert command("slabinfo", "--core", cut, status=2) == f"buddyslab: {cut} is empty\n"


def case_at_full_speed():
    """A thousand looks at a process that allocates as fast as it can: no sum is wrong."""
    with Load(2) as load:
        with subprocess.Popen([COMMAND, "stat", "--json", "--every", "0.001", "--count", "1000", str(load.pid)],
                              stdout=subprocess.PIPE, text=True) as look:
            seen = 0
            for line in look.stdout:
                report = json.loads(line)
                check_books(report)
                # the threads leave these alone
                assert cache_of(report, "kmalloc-2k")["live"] == 20000
                assert report["books"]["live"] < 200 << 20 and report["books"]["live"] > 40 << 20
                assert report["mapped"] < 400 << 20
                assert report["windows"]["live"] >= 1
                seen += 1
        assert look.returncode == 0 and seen == 1000, seen
        assert load.finish() > 0


def refused(*arguments, environment=None):
    return command(*arguments, status=2, environment=environment)


def case_no_process():
    assert refused("stat", 999999999) == "buddyslab: there is no process 999999999\n"
    assert refused("stat", "no-such-program") == "buddyslab: there is no process no-such-program\n"
    with subprocess.Popen(["true"]) as ended:
        pass
    assert "there is no process" in refused("slabinfo", ended.pid)
    assert "unknown option --colour" in refused("stat", "--colour", 1)
    assert "there is no command look" in refused("look", 1)
    assert "usage: buddyslab why" in refused("why", 1)
    assert "'blue' is no address" in refused("why", os.getpid(), "blue")


def case_options():
    """Options that make no sense are refused before anything is looked at; --help is a word of every command."""
    for words, said in ((("stat", "--every", "abc"), "--every wants a number above 0"),
                        (("stat", "--every", "1", "--count", "0"), "--count wants a number above 0"),
                        (("stat", "--count", "3"), "--count means nothing without --every"),
                        (("stat", "--json", "--prometheus"), "--json and --prometheus contradict each other"),
                        (("stat", "--exe", "/bin/true"), "--exe means nothing without --core"),
                        (("top", "--once", "--delay", "x"), "--delay wants a number above 0"),
                        (("top", "-d", "x"), "-d wants a number above 0"),
                        (("map", "--svg", "--html"), "--svg and --html contradict each other"),
                        (("map", "--svg", "--output", "/no/heap.html"), "--svg contradicts the name /no/heap.html"),
                        (("map", "--html", "--output", "/no/heap.svg"), "--html contradicts the name /no/heap.svg"),
                        (("map", "--output", "/no/heap.png"), "map writes SVG or HTML"),
                        (("map", "--every", "1"), "--every means nothing without --snapshots"),
                        (("map", "--html", "--snapshots", "2", "--every", "-1"), "--every wants a number above 0")):
        answer = refused(*words, 999999999)
        assert answer.startswith("buddyslab: " + said), (words, answer)
    usage = command("--help")
    assert usage.startswith("usage: buddyslab COMMAND")
    for name in ("top", "stat", "map", "why", "slabinfo", "meminfo", "run", "compare"):
        assert command(name, "--help") == usage and command(name, "-h") == usage
    assert command("stat", "--json", "--help") == usage


def case_no_output():
    """What cannot be written is said."""
    with Load() as load:
        for words in (("stat", load.pid), ("why", load.pid, hex(load.at["object"])), ("top", "--once", load.pid),
                      ("slabinfo", load.pid), ("map", load.pid), ("--help",), ("--version",)):
            with open("/dev/full", "w") as full:
                done = subprocess.run([COMMAND, *map(str, words)], stdout=full, stderr=subprocess.PIPE, text=True)
            assert done.returncode == 2 and done.stderr == \
                "buddyslab: cannot write to standard output: No space left on device\n", (words, done.stderr)
        for words in (("stat",), ("map",)):
            said = refused(*words, "--output", "/no/such/folder/heap.html", load.pid)
            assert said == "buddyslab: cannot write /no/such/folder/heap.html: No such file or directory\n", said


def case_no_trace():
    """Looking leaves nothing in the process: no page fault of its own, no memory, no tables."""
    def traces(pid):
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        memory = [line for line in status.splitlines() if line.startswith(("VmRSS", "VmPTE", "VmSize"))]
        switches = [line for line in status.splitlines() if "ctxt_switches" in line]
        return fields[7:11], memory, switches  # minor and major faults, of children too

    with Load() as load:
        wait_until(lambda: state_of(load.pid) == "S")
        command("stat", "--json", load.pid)  # struct pages that were never read before may get the page of zeros
        before = traces(load.pid)
        command("stat", "--json", "--every", "0.0001", "--count", 100, load.pid)
        command("map", "--html", load.pid)
        assert traces(load.pid) == before


def case_without_buddyslab():
    with subprocess.Popen(["sleep", "100"]) as sleep:
        wait_until(lambda: state_of(sleep.pid) == "S")
        said = refused("stat", sleep.pid)
        sleep.kill()
    assert said == f"buddyslab: process {sleep.pid} (sleep) does not have libbuddyslab\n", said


def case_zombie():
    with subprocess.Popen(["true"]) as child:
        wait_until(lambda: state_of(child.pid) == "Z")
        assert "has no memory: a kernel thread, or a process that has ended" in refused("stat", child.pid)


def case_by_name():
    """Processes by name: of a program whose file is gone, beside a zombie; a name cannot write on the terminal."""
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "gone-but-longer-than-comm"
        program.write_bytes(pathlib.Path(LOAD).read_bytes())
        program.chmod(0o755)
        with Load(program=program) as ended, Load(program=program) as load:
            program.unlink()
            ended.process.kill()
            wait_until(lambda: state_of(ended.pid) == "Z")
            for name in (program.name, program.name[:15]):
                assert command("slabinfo", name) == command("slabinfo", load.pid)
    script = "open('/proc/self/comm', 'w').write('a\\x1b[31m'); print('ready', flush=True); input()"
    with subprocess.Popen(["python3", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        wait_for_ready(process)
        said = refused("stat", process.pid)
        assert said == f"buddyslab: process {process.pid} (a?[31m) does not have libbuddyslab\n", said
        process.stdin.close()


def case_other_version():
    """A library with other structures is recognised, and named."""
    with tempfile.TemporaryDirectory() as folder:
        other = pathlib.Path(folder) / "libbuddyslab.so"
        image = bytearray(pathlib.Path(LIBRARY).resolve().read_bytes())
        magic = b"buddyslab root\0\0"
        root_version = 3  # src/heap/root.hpp
        places = [i for i in range(len(image)) if image.startswith(magic, i)]
        # the table starts with it: its version and size, which are followed by the layout, come next
        place = next(i for i in places if struct.unpack_from("<I", image, i + 16)[0] == root_version)
        struct.pack_into("<I", image, place + 16, 7)
        image[place + 32:place + 38] = b"9.8.7\0"
        other.write_bytes(image)
        with Load(library=str(other)) as load:
            said = refused("stat", load.pid)
        for both in (f"{LIBRARY}:{other}", f"{LIBRARY}:{pathlib.Path(LIBRARY).resolve()}:{other}"):
            with Load(library=both) as load:  # the first is in use
                assert cache_of(json.loads(command("stat", "--json", load.pid)), "kmalloc-2k")["live"] == 20000
    assert "(load) has another libbuddyslab: version 9.8.7 (layout 7, 0x" in said, said
    assert f"this command reads layout {root_version}, 0x" in said, said


def case_deleted_library():
    """The library's file is gone: everything is in memory."""
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "renamed.so"
        copy.write_bytes(pathlib.Path(LIBRARY).resolve().read_bytes())
        with Load(library=str(copy)) as load:
            copy.unlink()
            assert cache_of(json.loads(command("stat", "--json", load.pid)), "kmalloc-2k")["live"] == 20000


def elf32_that_pauses():
    """A 32-bit program of two instructions more than none: pause(), for ever."""
    code = bytes.fromhex("b81d000000" "cd80" "ebf7")  # mov eax, 29; int 0x80; jmp
    base = 0x08048000
    head = b"\x7fELF\x01\x01\x01" + bytes(9)
    head += struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, base + 84, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    part = struct.pack("<IIIIIIII", 1, 0, base, base, 84 + len(code), 84 + len(code), 5, 0x1000)
    return head + part + code


def case_32_bit():
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "small"
        program.write_bytes(elf32_that_pauses())
        program.chmod(0o755)
        try:
            process = subprocess.Popen([program])
        except OSError as error:
            print(f"skipped: this kernel runs no 32-bit programs ({error})")
            raise SystemExit(77)
        with process:
            said = refused("stat", process.pid)
            process.kill()
    assert f"process {process.pid} (small) is a 32-bit process: libbuddyslab is for 64 bits" in said, said


def case_not_permitted():
    """Without the right to trace: a message that says what it takes."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        copy = pathlib.Path(folder) / "buddyslab"
        copy.write_bytes(pathlib.Path(COMMAND).read_bytes())
        copy.chmod(0o755)
        with Load(0, "protected") as load:
            as_other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []
            done = subprocess.run([*as_other, copy, "stat", str(load.pid)], capture_output=True, text=True)
    assert done.returncode == 2 and not done.stdout
    assert f"not permitted to look into process {load.pid} (load): it takes the right to trace it" in done.stderr, done.stderr


def case_slabtop():
    """The real slabtop reads our slabinfo: it is shown a file in the place of the kernel's."""
    with Load() as load, tempfile.NamedTemporaryFile("w") as file:
        file.write(command("slabinfo", load.pid))
        file.flush()
        namespace = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-rm"]
        mount = f"mount --bind {file.name} /proc/slabinfo"
        if subprocess.run([*namespace, "sh", "-c", mount], capture_output=True).returncode != 0:
            print("skipped: this system allows no mount namespace; other cases read slabinfo with a parser")
            raise SystemExit(77)
        done = subprocess.run([*namespace, "sh", "-c", mount + " && slabtop -o -s c"], capture_output=True,
                              text=True, env=dict(os.environ, TERM="dumb"))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any("Active / Total Objects" in line for line in lines), done.stdout
    first = lines[next(i for i, line in enumerate(lines) if "OBJS ACTIVE" in line) + 1].split()
    # OBJS ACTIVE USE SIZE SLABS OBJ/SLAB CACHE-SIZE NAME, the largest cache first
    assert first[1] == "20000" and first[7] == "kmalloc-2k", first


def case_file_for_prometheus():
    """The report in a file is always a whole one; it stays when the process has ended."""
    with tempfile.TemporaryDirectory() as folder, Load(1) as load:
        file = pathlib.Path(folder) / "heap.prom"
        writer = subprocess.Popen([COMMAND, "stat", "--prometheus", "--every", "0.005", "--output", file, str(load.pid)])
        wait_until(file.exists)
        for _ in range(200):
            prometheus(file.read_text())
            time.sleep(0.002)
        load.finish()
        assert writer.wait(timeout=60) == 0
        assert prometheus(file.read_text())["buddyslab_mapped_bytes", ""] > 40 << 20


def case_output_of_every_kind():
    """Where reports go is not changed by them: a FIFO, a link, access rights; nor is a file of a name like theirs."""
    with tempfile.TemporaryDirectory() as name, Load() as load:
        folder = pathlib.Path(name)
        os.mkfifo(folder / "fifo")
        with subprocess.Popen([COMMAND, "stat", "--json", "--output", folder / "fifo", str(load.pid)]) as writer:
            check_books(json.loads((folder / "fifo").read_text()))
        assert writer.returncode == 0 and stat.S_ISFIFO(os.stat(folder / "fifo").st_mode)
        (folder / "full").symlink_to("/dev/full")  # not by its name: a mistake here must not cost the machine its device
        said = refused("stat", "--output", folder / "full", load.pid)
        assert said.endswith("/full: No space left on device\n") and (folder / "full").is_symlink(), said
        for kind in ("victim", "file"):
            (folder / kind).write_text(kind)
        (folder / "file").chmod(0o604)
        (folder / "link").symlink_to("file")
        (folder / "link.new").symlink_to("victim")
        (folder / "file.new").symlink_to("victim")
        for words in (("stat",), ("map", "--svg")):
            command(*words, "--output", folder / "link", load.pid)
            assert (folder / "link").is_symlink() and (folder / "victim").read_text() == "victim"
            assert stat.S_IMODE(os.stat(folder / "file").st_mode) == 0o604
            assert len((folder / "file").read_text()) > 100
        assert len(list(folder.iterdir())) == 7, list(folder.iterdir())


if __name__ == "__main__":
    run_case(globals())
