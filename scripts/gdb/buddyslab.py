"""The heap of libbuddyslab in gdb, of a process or of a core dump.

    (gdb) source scripts/gdb/buddyslab.py
    (gdb) bsl-slabinfo              its caches, as /proc/slabinfo has them
    (gdb) bsl-stat                  where its memory is
    (gdb) bsl-whatis ADDRESS        what an address is; any expression will do

The commands have `buddyslab` look at the process or the dump, so that there is one way to read a heap.
It is taken from BUDDYSLAB_COMMAND, from the build tree that this file lies in, or from the PATH.

Where the library has debug information, its structures are printed as what they mean.
"""
import os
import pathlib
import re
import shutil
import subprocess

import gdb
import gdb.printing

_here = pathlib.Path(__file__).resolve()  # gdb knows it only now


def _command():
    built = _here.parents[2] / "build/release/bin/buddyslab"
    for candidate in (os.environ.get("BUDDYSLAB_COMMAND"), str(built), shutil.which("buddyslab")):
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    raise gdb.GdbError("the command buddyslab is not here; BUDDYSLAB_COMMAND may say where it is")


def _target():
    """How `buddyslab` is told what gdb looks at."""
    files = gdb.execute("info files", to_string=True)
    core = re.search(r"core dump file:\s+`(.*)', file type", files)
    if core:
        program = gdb.current_progspace().filename
        return ["--core", core[1]] + (["--exe", program] if program else [])
    if gdb.selected_inferior().pid:
        return [str(gdb.selected_inferior().pid)]
    raise gdb.GdbError("there is neither a process nor a core dump")


def _look(*words):
    done = subprocess.run([_command(), *words], capture_output=True, text=True)
    gdb.write(done.stdout)
    if not done.stdout:
        raise gdb.GdbError(done.stderr.strip())


class SlabInfo(gdb.Command):
    """bsl-slabinfo: the caches of the heap, in the format of /proc/slabinfo."""

    def __init__(self):
        super().__init__("bsl-slabinfo", gdb.COMMAND_DATA)

    def invoke(self, _argument, _from_tty):
        _look("slabinfo", *_target())


class Stat(gdb.Command):
    """bsl-stat: where the memory of the heap is."""

    def __init__(self):
        super().__init__("bsl-stat", gdb.COMMAND_DATA)

    def invoke(self, _argument, _from_tty):
        _look("stat", *_target())


class WhatIs(gdb.Command):
    """bsl-whatis ADDRESS: which arena, page, slab, cache and object an address is of, and its state."""

    def __init__(self):
        super().__init__("bsl-whatis", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, _from_tty):
        if not argument.strip():
            raise gdb.GdbError("bsl-whatis wants an address")
        value = gdb.parse_and_eval(argument)
        if value.type.strip_typedefs().code in (gdb.TYPE_CODE_ARRAY, gdb.TYPE_CODE_STRUCT) and value.address:
            value = value.address
        address = int(value.cast(gdb.lookup_type("unsigned long")))
        _look("why", *_target(), hex(address))


# --- structures ------------------------------------------------------------------------------------


class Counter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        return self.value["value_"]["_M_i"]


class Cache:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        return f"cache {self.value['name_'].string()}, objects of {int(self.value['size_'])} bytes"


class Page:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        state = str(self.value["state"]).split("::")[-1]
        start = int(self.value["start"].cast(gdb.lookup_type("unsigned long")))
        if state == "slab":
            return (f"slab page: cache {int(self.value['cache'])}, order {int(self.value['order'])}, "
                    f"{int(self.value['nr_free'])} free, at {start:#x}")
        if state == "run":
            return f"run of {int(self.value['nr_run_pages'])} pages at {start:#x}"
        return "free page"


class Window:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        state = str(self.value["state"]).split("::")[-1]
        start = int(self.value["start"].cast(gdb.lookup_type("unsigned long")))
        return f"{state} window at {start:#x}: {int(self.value['size'])} bytes, {int(self.value['lent_end'])} of them lent"


class Sheaf:
    """A sheaf that hangs in no bin."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        slots = self.value["slot"]
        top = int(self.value["top"].cast(gdb.lookup_type("unsigned long")))
        first = int(slots.address.cast(gdb.lookup_type("unsigned long")))
        at, n = (top - first) // 8 - 1, 0
        while 0 <= at < 61 and int(slots[at]["_M_b"]["_M_p"].cast(gdb.lookup_type("unsigned long"))):
            at, n = at - 1, n + 1
        return f"sheaf of {n} objects"


def _printers():
    printers = gdb.printing.RegexpCollectionPrettyPrinter("buddyslab")
    printers.add_printer("counter", r"^bsl::counter<.*>$", Counter)
    printers.add_printer("kmem_cache", r"^bsl::kmem_cache$", Cache)
    printers.add_printer("page", r"^bsl::page$", Page)
    printers.add_printer("vm_area", r"^bsl::vm_area$", Window)
    printers.add_printer("sheaf", r"^bsl::sheaf$", Sheaf)
    return printers


SlabInfo()
Stat()
WhatIs()
gdb.printing.register_pretty_printer(gdb.current_objfile(), _printers(), replace=True)
