#!/usr/bin/env python3
"""Programs that the command starts: run and compare."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as xml

from harness import *


LIBRARY_LINK = os.path.dirname(os.path.dirname(COMMAND)) + "/libbuddyslab.so"


def start(*words, environment=None, **more):
    clean = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "BUDDYSLAB")}
    return subprocess.run([COMMAND, *words], capture_output=True, text=True, env=dict(clean, **(environment or {})),
                          timeout=120, **more)


def case_run_parameters():
    """Options become parameters behind those that are there, the library comes first, streams are the program's."""
    show = ["sh", "-c", 'echo "$BUDDYSLAB|$LD_PRELOAD"; cat; echo err >&2; grep -c "/libbuddyslab.so" /proc/self/maps']
    done = start("run", "--decay_ms=5", "--stats", "--", *show, environment={"BUDDYSLAB": "slab_debug=F", "LD_PRELOAD": "libm.so.6"},
                 input="in\n")
    first, line, mapped = done.stdout.splitlines()
    assert first == f"slab_debug=F decay_ms=5 report=exit|{LIBRARY_LINK}:libm.so.6", first
    assert line == "in" and int(mapped) > 0 and done.returncode == 0
    assert done.stderr.startswith("err\n") or "\nerr\n" in done.stderr
    assert "buddyslab: calls: malloc " in done.stderr


def case_run_status():
    """The exit status is the program's; one that cannot be started is reported as shells do."""
    assert start("run", "sh", "-c", "exit 42").returncode == 42
    assert start("run", "sh", "-c", "kill -SEGV $$").returncode == -11
    missing = start("run", "no-such-program")
    assert missing.returncode == 127 and missing.stderr == "buddyslab: no-such-program: No such file or directory\n"
    assert start("run", "/").returncode == 126
    assert start("run", "echo", "--decay_ms=5", "--").stdout == "--decay_ms=5 --\n"


def case_run_refuses():
    wrong = start("run", "--colour=blue", "true")
    assert wrong.returncode == 2 and "there is no parameter colour" in wrong.stderr
    for words in (("--report_file=/tmp/a b",), ("--report_file=a\tb",), ("--decay_ms=5 report=exit",)):
        wrong = start("run", *words, "true")
        assert wrong.returncode == 2 and "a parameter's value has no spaces" in wrong.stderr, wrong.stderr
    wrong = start("run", "-x", "true")
    assert wrong.returncode == 2 and "unknown option -x" in wrong.stderr, wrong.stderr
    assert "usage: buddyslab run" in start("run").stderr
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "buddyslab"
        shutil.copy(COMMAND, copy)
        done = subprocess.run([copy, "run", "true"], capture_output=True, text=True)
        assert done.returncode == 2 and "libbuddyslab.so.0 is not where " in done.stderr, done.stderr


def case_compare():
    """Each allocator that is there is measured the same number of times, and its costs are sensible."""
    with tempfile.TemporaryDirectory() as folder:
        count = pathlib.Path(folder) / "count"
        plot = pathlib.Path(folder) / "plot.svg"
        program = f"echo $LD_PRELOAD >> {count}; exec python3 -c 'x = bytearray(50 << 20)'"
        done = start("compare", "-n", "2", "--plot", plot, "sh", "-c", program)
        assert done.returncode == 0, done.stderr
        rows = [re.split(r"\s{2,}", line.strip()) for line in done.stdout.splitlines()]
        assert rows[0][:4] == ["time", "cpu", "peak RSS", "faults"] and rows[0][4] == "(medians of 2 runs)"
        table = {row[0]: row[1:] for row in rows[1:] if len(row) == 5}
        assert "glibc" in table and "buddyslab" in table, done.stdout
        for name, (seconds, cpu, rss, faults) in table.items():
            assert re.fullmatch(r"[\d.]+ (ms|s)", seconds) and re.fullmatch(r"[\d.]+ (ms|s)", cpu)
            size, unit = rss.split()
            assert unit == "MiB" and 50 < float(size) < 200, (name, rss)
            assert 200 < int(faults) < 200000, (name, faults)
        runs = count.read_text().splitlines()
        assert len(runs) == 2 * len(table)
        assert all(runs.count(library) == 2 for library in runs), "each is the first that is preloaded, twice"
        picture = xml.fromstring(plot.read_text())
        texts = [t.text for t in picture.iter("{http://www.w3.org/2000/svg}text")]
        assert all(texts.count(name) == 3 for name in table) and "peak RSS" in texts


def case_compare_refuses():
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "static.c"
        source.write_text("int main(void) { return 0; }\n")
        subprocess.run(["cc", "-static", source, "-o", f"{folder}/static"], check=True)
        said = start("compare", f"{folder}/static")
        assert said.returncode == 2 and "is statically linked: no library can be preloaded" in said.stderr
    assert "there is no program no-such-program" in start("compare", "no-such-program").stderr
    assert "ended with status 3" in start("compare", "-n", "1", "sh", "-c", "exit 3").stderr
    for name in ("-n", "--runs"):
        assert f" {name} wants a number above 0" in start("compare", name, "0", "true").stderr
    assert "usage: buddyslab compare" in start("compare").stderr


run_case(globals())
