"""Where things are."""

from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
BUILD = ROOT / "build" / "bench"
PROGRAMS = BUILD / "bin"
INPUT = BUILD / "input"
SCRATCH = BUILD / "scratch"
LIBRARIES = BUILD / "libraries"
LAUNCH = PROGRAMS / "special" / "launch"
US = ROOT / "build" / "release" / "libbuddyslab.so"
