"""Instructions per operation, counted by valgrind (callgrind).

The count is a difference of two: that of n operations from that of 2n, so that start-up drops out;
and the same difference for the empty loop is taken from it, so that the loop drops out.
"""

import re
import shutil
from functools import lru_cache
from tempfile import TemporaryDirectory

from . import measure, paths
from .workload import Workload

COUNT = 5_000
MODES = {"pair": 0, "calloc": 1, "aligned64": 2, "sized_delete": 3}
EMPTY = 4
SIZES = [64, 1024, 16384]


def available():
    return shutil.which("valgrind") is not None


def _count(allocator, mode, size, count):
    with TemporaryDirectory(prefix="bench-callgrind-") as directory:
        command = ["valgrind", "--tool=callgrind", "--quiet",
                   f"--callgrind-out-file={directory}/out",
                   str(paths.PROGRAMS / "micro/pair"), f"mode={mode}", f"from={size}", f"to={size}",
                   f"count={count}", "rounds=1", "repeat=1"]
        measure.run(Workload("instructions", "micro", command), allocator)
        with open(f"{directory}/out") as file:
            return int(re.search(r"^(?:totals|summary): (\d+)", file.read(), re.M).group(1))


def _slope(allocator, mode, size):
    once, twice = (_count(allocator, mode, size, count) for count in (COUNT, 2 * COUNT))
    return (twice - once) / COUNT


@lru_cache(maxsize=1)
def _empty_loop(allocator):
    """The same under every allocator: none is called."""
    return _slope(allocator, EMPTY, SIZES[0])


def per_operation(allocator, first):
    """{"pair/64": instructions of one malloc and free, …}"""
    empty = _empty_loop(first)
    return {f"{name}/{size}": round(_slope(allocator, mode, size) - empty, 1)
            for name, mode in MODES.items() for size in SIZES}
