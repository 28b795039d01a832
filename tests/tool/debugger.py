#!/usr/bin/env python3
"""What debuggers and tracers find: the gdb script, and the probes."""
import os
import pathlib
import re
import subprocess
import tempfile

from harness import *

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts/gdb/buddyslab.py"

PROGRAM = """
#include <stdlib.h>
#include <string.h>
struct node { struct node* next; char name[40]; };
struct node* kept; struct node* freed; char* window;
int main(void)
{
    kept = malloc(sizeof *kept);
    freed = malloc(5000);
    window = memset(malloc(9 << 20), 1, 9 << 20);
    for (int i = 0; i < 3000; i++)
        malloc(3000);
    free(freed); /* what lies in a sheaf gives way when the heap grows */
    abort();
}
"""


def build(folder):
    source = pathlib.Path(folder) / "victim.c"
    source.write_text(PROGRAM)
    subprocess.run(["cc", "-g", "-O0", "-w", source, "-o", f"{folder}/victim"], check=True)
    return f"{folder}/victim"


def gdb(*commands, program=None, core=None):
    words = ["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex", "set confirm off"]
    for command_ in commands:
        words += ["-ex", command_]
    done = subprocess.run([*words, *([program] if program else []), *([core] if core else [])], capture_output=True,
                          text=True, timeout=120, env=dict(os.environ, BUDDYSLAB_COMMAND=COMMAND))
    return done.stdout + done.stderr


START = [f"source {SCRIPT}", "set environment LD_PRELOAD " + LIBRARY, "run"]


def check_answers(said):
    assert "0 bytes into object" in said and "of cache kmalloc-48, which is in use" in said, said
    assert re.search(r"12 bytes into object \d+ of cache kmalloc-5k, which is free, in a sheaf of the thread heap", said), said
    assert "5 bytes into a window, which is in use" in said, said
    assert "slabinfo - version: 2.1" in said and re.search(r"^kmalloc-3k +3000 ", said, re.MULTILINE), said
    assert "live_windows" in said


QUESTIONS = ["bsl-whatis kept", "bsl-whatis (char*)freed + 12", "bsl-whatis window + 5", "bsl-slabinfo", "bsl-stat",
             "bsl-whatis *kept"]


def case_gdb_process():
    with tempfile.TemporaryDirectory() as folder:
        said = gdb(*START, *QUESTIONS, program=build(folder))
        check_answers(said)
        assert said.count("of cache kmalloc-48, which is in use") == 2, "an object stands for its address"


def case_gdb_core():
    with tempfile.TemporaryDirectory() as folder:
        program = build(folder)
        gdb(*START, f"generate-core-file {folder}/core", program=program)
        check_answers(gdb(f"source {SCRIPT}", *QUESTIONS, program=program, core=f"{folder}/core"))


def case_gdb_nothing():
    said = gdb(f"source {SCRIPT}", "bsl-slabinfo")
    assert "there is neither a process nor a core dump" in said, said
    with tempfile.TemporaryDirectory() as folder:
        said = gdb(f"source {SCRIPT}", "break main", "run", "bsl-stat", "bsl-whatis", program=build(folder))
        assert "does not have libbuddyslab" in said and "bsl-whatis wants an address" in said, said


def case_gdb_structures():
    """The structures are printed as what they mean."""
    with tempfile.TemporaryDirectory() as folder:
        said = gdb(*START, "print bsl::all_caches._M_elems[7]", "print bsl::dummy_sheaf",
                   "print bsl::zone_normal.counts_.nr_online", program=build(folder))
    assert "= cache kmalloc-112, objects of 112 bytes" in said, said
    assert "= sheaf of 0 objects" in said, said
    assert re.search(r"^\$3 = [1-9]\d*$", said, re.MULTILINE), said


PROBES = {"refill": 2, "flush": 2, "slab_new": 3, "slab_free": 3, "block_split": 3, "block_merge": 3, "window_new": 3,
          "window_free": 2, "purge": 2, "grow": 2}


def probes_of(library):
    notes = subprocess.run(["readelf", "-n", library], capture_output=True, text=True, check=True).stdout
    found = {}
    for provider, name, arguments in re.findall(r"Provider: (\w+)\n\s+Name: (\w+)\n.*\n\s+Arguments: (.*)\n", notes):
        if provider == "buddyslab":
            found.setdefault(name, set()).add(len(arguments.split()))
    return found


def case_probes_listed():
    """The library has the probes that the documentation lists, with as many arguments."""
    assert probes_of(LIBRARY) == {name: {n} for name, n in PROBES.items()}
    page = (ROOT / "docs/looking-inside.md").read_text()
    listed = dict(re.findall(r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)+) \|", page, re.MULTILINE))
    assert {name: len(arguments.split(",")) for name, arguments in listed.items()} == PROBES, listed


def case_probes_hit():
    """A debugger stops at them, and sees what they say."""
    with tempfile.TemporaryDirectory() as folder:
        said = gdb("set environment LD_PRELOAD " + LIBRARY, "set breakpoint pending on",
                   "break -probe-stap buddyslab:window_new", "run", "print $_probe_argc",
                   "print $_probe_arg1 >= (9 << 20)", "delete", "break -probe-stap buddyslab:slab_new", "continue",
                   "print (char*)$_probe_arg0", "print $_probe_arg2 > 0", program=build(folder))
    assert "$1 = 3" in said and "$2 = true" in said, said
    assert re.search(r'\$3 = 0x[0-9a-f]+ .*"kmalloc-3k"', said) and "$4 = true" in said, said


run_case(globals())
