"""Builds what a run needs: the benchmark programs, and our library if it is not there."""

import subprocess

from . import paths


def _quietly(command, cwd=None):
    """Runs a command; returns its output if it failed, else nothing."""
    try:
        done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)
    except FileNotFoundError as missing:
        return str(missing)
    return done.stdout if done.returncode else None


def build_programs():
    configure = ["cmake", "-S", str(paths.BENCH), "-B", str(paths.PROGRAMS)]
    make = ["cmake", "--build", str(paths.PROGRAMS), "-j2"]
    failure = _quietly(configure) or _quietly(make)
    if failure:
        raise SystemExit(f"run: the benchmark programs do not build:\n{failure}")


def build_our_library(warn):
    """Builds the release preset unless the library is there.  Failure is a warning only."""
    if paths.US.is_file():
        return
    failure = (_quietly(["cmake", "--preset", "release"], paths.ROOT)
               or _quietly(["cmake", "--build", "--preset", "release", "-j2"], paths.ROOT))
    if failure or not paths.US.is_file():
        last = (failure or "no library was made").strip().splitlines()[-1]
        warn(f"libbuddyslab.so does not build yet, comparing the others only ({last})")
